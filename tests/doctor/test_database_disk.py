"""How full PostgreSQL's disk is: seen where it is ours, else by a setting, else not known."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.metric_families import list_families
from app.doctor import database_disk
from app.doctor.database_disk import GIGABYTE, DiskWatch, examine_disk, look_at_disk
from app.doctor.machine_health import check_database_disk
from app.extensions import db, is_sqlite
from app.processing.disk_space import SETTING, Disk, look_at
from tests.console.pages import sign_in
from tests.factories import make_team


@pytest.fixture
def elsewhere(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """On another machine, as far as the process tells that answers."""
    if is_sqlite():
        pytest.skip("a file is seen by whoever reads it")
    monkeypatch.setattr(database_disk, "_is_here", lambda pid: False)
    yield app


def test_a_database_of_this_machine_is_seen_on_its_disk(app: Flask) -> None:
    disk = examine_disk()
    assert disk is not None and disk.folder is not None and 0 < disk.free < disk.total
    if not is_sqlite():
        query = db.text("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
        assert disk.folder == Path(db.session.execute(query).scalar_one())
    assert look_at_disk() == disk._replace(free=look_at_disk().free)  # type: ignore[union-attr]
    assert str(disk.folder) in check_database_disk().message or is_sqlite()


def test_a_role_that_may_not_see_the_folder_gets_no_error(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("there are no roles")
    for statement in ("CREATE ROLE narrow", "SET ROLE narrow"):
        db.session.execute(db.text(statement))
    assert examine_disk() is None
    finding = check_database_disk()
    assert finding.state == "warn" and "Nothing warns" in finding.message
    assert finding.fix is not None and SETTING in finding.fix
    assert finding.fix.endswith("GRANT pg_read_all_settings TO narrow")
    db.session.rollback()


def test_elsewhere_a_setting_tells_what_the_database_may_take(elsewhere: Flask) -> None:
    assert examine_disk() is None
    assert measured("disk_size_bytes") == look_at(elsewhere.config["FLOWPULSE_DATA_DIR"]).total
    elsewhere.config[SETTING] = 20
    disk = examine_disk()
    assert disk is not None and disk.folder is None and disk.total == 20 * GIGABYTE
    assert 0 < disk.total - disk.free < GIGABYTE
    assert measured("disk_size_bytes") == 20 * GIGABYTE
    finding = check_database_disk()
    assert finding.state == "ok" and SETTING in finding.message


def measured(name: str) -> float:
    (family,) = [each for each in list_families() if each.name == f"flowpulse_{name}"]
    return family.samples[0].value


def test_what_is_reckoned_is_never_called_full() -> None:
    assert Disk(None, 0, GIGABYTE).is_low and not Disk(None, 0, GIGABYTE).is_full
    assert Disk(Path("/srv"), 0, GIGABYTE).is_full


def test_the_banner_of_a_database_that_has_nearly_taken_its_room(
    elsewhere: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_disk, "GIGABYTE", 100 * 2**20)
    elsewhere.config[SETTING] = 1
    sign_in(client, make_team().email)
    page = client.get("/workflows").text
    assert "The disk is nearly full." in page
    assert f"of 100 MB are left for the database, by {SETTING}." in page
    assert client.get("/healthz").json == {"status": "ok", "disk": "low"}


def test_pages_ask_once_a_minute_and_wait_for_no_database_that_hangs(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_sqlite():
        pytest.skip("a file's disk is asked each time")
    answers: Iterator[Disk | None] = iter([Disk(None, 1, 2), Disk(None, 3, 4)])
    asked, hangs = [], threading.Event()

    def look() -> Disk | None:
        asked.append(time.monotonic())
        if len(asked) == 2:
            hangs.wait(10)
        return next(answers)

    monkeypatch.setattr(database_disk, "examine_disk", look)
    monkeypatch.setattr(database_disk, "WAIT_SECONDS", 0.05)
    watch = DiskWatch(app)
    assert [watch.look(), watch.look()] == [Disk(None, 1, 2)] * 2
    assert len(asked) == 1
    watch._asked_at -= 61
    assert [watch.look(), watch.look()] == [Disk(None, 1, 2)] * 2
    assert len(asked) == 2
    hangs.set()

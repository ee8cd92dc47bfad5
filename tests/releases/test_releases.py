"""A database of each tagged release is upgraded as `make run` does it: nothing is lost or changed,
and its people and senders go on. The present version is tried like a release, too.

That this can fail is shown below, where something is taken away from a database in between.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Select, create_engine, func, select

from app.doctor.database_health import check_key_of_database, check_migrations, check_partitions
from app.extensions import db
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Delivery,
    Event,
    Run,
    Workflow,
)
from app.processing.worker import Worker
from supply.changelog import read_changelog
from tests.apps import close_app, make_app
from tests.console.pages import Page, open_page, send_form
from tests.databases import Databases
from tests.hostile.sources import Source
from tests.pages_map import PAGES, addresses
from tests.postgres import PostgresCluster
from tests.programs import git
from tests.releases.making import SETTINGS, make, read
from tests.releases.snapshot import (
    Held,
    Snapshot,
    TableHeld,
    find_differences,
    take_snapshot,
)
from tests.releases.sql_text import (
    load_postgresql,
    load_sqlite,
    write_postgresql,
    write_sqlite,
)
from tests.server import ROOT, LiveServer
from tests.simulated_time import SimulatedTime, simulated_time

FOLDER = ROOT / "tests" / "releases"
FILES = ("postgresql.sql", "sqlite.sql", "told.json")
PRESENT = "the present version"
DAY = date(2026, 3, 1)
SOME = 3
"""Of each kind of thing, whose pages are opened."""


class Release(NamedTuple):
    """One by its database as text, and what was known of it when it was made."""

    text: str
    told: dict[str, Any]


def list_folders() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/told.json"))


@pytest.fixture(scope="module")
def present(
    databases: Databases, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """As if it were released on some day."""
    return make_present(databases, request, tmp_path_factory.mktemp("present"))


def make_present(databases: Databases, request: pytest.FixtureRequest, folder: Path) -> Release:
    url = databases.create_empty()
    told = make(url, folder, DAY)
    if url.startswith("sqlite"):
        text = write_sqlite(Path(url.removeprefix("sqlite:///")))
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        text = write_postgresql(address_of(url), cluster.binaries / "pg_dump")
    databases.drop_later(url)
    return Release(text, told)


@pytest.fixture
def loaded(empty_database_url: str) -> Callable[[Release], Snapshot]:
    """Loads a release into this test's database, and says what it holds then."""

    def load(release: Release) -> Snapshot:
        if empty_database_url.startswith("sqlite"):
            load_sqlite(release.text, Path(empty_database_url.removeprefix("sqlite:///")))
        else:
            load_postgresql(release.text, address_of(empty_database_url))
        return look(empty_database_url)

    return load


def address_of(url: str) -> str:
    return url.replace("+psycopg", "")


def look(url: str, statement: str = "") -> Snapshot:
    """What the database holds, after a statement past FlowPulse."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            if statement:
                connection.exec_driver_sql(statement)
            return take_snapshot(connection)
    finally:
        engine.dispose()


@pytest.fixture
def release(request: pytest.FixtureRequest, database_kind: str) -> Release:
    if request.param == PRESENT:
        found: Release = request.getfixturevalue("present")
        return found
    folder = FOLDER / request.param
    told = json.loads((folder / "told.json").read_text())
    return Release((folder / f"{database_kind}.sql").read_text(), told)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("release", [*list_folders(), PRESENT], indirect=True)
def test_a_database_of_the_release_is_taken_over(
    release: Release,
    loaded: Callable[[Release], Snapshot],
    empty_database_url: str,
    tmp_path: Path,
) -> None:
    before = loaded(release)
    said = LiveServer(tmp_path, empty_database_url).cli("prepare", "--to-start")
    assert said.returncode == 0 and "/setup" not in said.stdout, said.stderr
    assert list(find_differences(before, look(empty_database_url))) == []
    at = datetime.fromisoformat(release.told["at"])
    with simulated_time(at) as time:
        app = make_app(empty_database_url, tmp_path, **SETTINGS)
        try:
            with app.app_context():
                check_what_is_read(app, release.told)
                check_work(app, release.told, time)
        finally:
            close_app(app)


def check_what_is_read(app: Flask, told: dict[str, Any]) -> None:
    """The API tells what it told, the password opens the console, and its pages show what came."""
    for check in (check_migrations, check_key_of_database):
        assert check().state == "ok", check()
    client = app.test_client()
    for name, items in told["told"].items():
        assert len(items) > 3 and is_kept(items, read(client, name, told["key"])), name
    answer = send_form(client, "/sign-in", email=told["email"], password=told["password"])
    assert answer.status_code == 303, answer.text
    for path in addresses(list_ids(), PAGES):
        page = client.get(path, follow_redirects=True)
        assert page.status_code == 200, f"{path}: {Page(page.text).text[:300]}"
        assert Source(page.text).alive == [], path
    oldest = db.session.scalars(select(Run).order_by(Run.id)).first()
    assert oldest is not None and oldest.external_execution_id
    assert oldest.external_execution_id in open_page(client, f"/runs/{oldest.public_id}").text
    failed = db.session.scalars(select(Run).where(Run.error_type == "TimeoutError")).first()
    assert failed is not None and failed.error_message
    assert failed.error_message in open_page(client, f"/runs/{failed.public_id}").text


def list_ids() -> dict[str, list[str]]:
    """Some of each kind of thing in the first workspace, and an event of each kind of answer."""
    things: dict[str, Select[Any]] = {
        "alert": select(Alert.public_id).where(Alert.workspace_id == 1),
        "channel": select(Channel.public_id).where(Channel.workspace_id == 1),
        "delivery": select(Delivery.public_id).where(Delivery.channel_id.is_not(None)),
        "key": select(ApiKey.public_id).where(ApiKey.workspace_id == 1),
        "problem": select(Event.fingerprint).where(
            Event.workspace_id == 1, Event.fingerprint.is_not(None), Event.resolved_at.is_(None)
        ),
        "rule": select(AlertRule.public_id).where(AlertRule.workspace_id == 1),
        "run": select(Run.public_id).where(Run.workspace_id == 1),
        "workflow": select(Workflow.public_id).where(Workflow.workspace_id == 1),
    }
    answers = (Event.state, Event.code, Event.kind)
    events = select(func.min(Event.public_id)).where(Event.workspace_id == 1).group_by(*answers)
    ids = {name: list(db.session.scalars(_pick(query))) for name, query in things.items()}
    return {**ids, "event": list(db.session.scalars(events))}


def _pick(query: Select[Any]) -> Select[Any]:
    (column,) = query.selected_columns
    return query.distinct().order_by(column).limit(SOME)


def check_work(app: Flask, told: dict[str, Any], time: SimulatedTime) -> None:
    """The old key reports, and the worker makes a run of it, and of what waited for it."""
    before = count_runs()
    client = app.test_client()
    body = {"workflow_slug": told["workflow_slug"], "ended_at": time.at.isoformat()}
    body["external_execution_id"] = "new"
    headers = {"X-API-Key": told["key"]}
    answer = client.post("/api/v1/ingest/run-success", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    worker = Worker()
    for _ in range(3):
        worker.work()
        time.forward(seconds=2)
    assert count_runs() == before + 2
    newest = [each["external_execution_id"] for each in read(client, "runs", told["key"])[:2]]
    assert newest == ["new", "waits for the worker"]
    assert check_partitions().state == "ok", check_partitions()


def count_runs() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Run)) or 0


def is_kept(old: Any, new: Any) -> bool:
    """Whether all that was told is told, whatever is told beside it."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and is_kept(value, new[name]) for name, value in old.items()
        )
    if isinstance(old, list):
        return len(old) == len(new) and all(map(is_kept, old, new))
    return bool(old == new)


# --- Whether it could fail ------------------------------------------------------------------------


def test_what_a_later_version_tells_beside_the_old_is_no_loss() -> None:
    old: list[dict[str, Any]] = [{"id": "a", "labels": ["x"], "error": {"type": None}}]
    assert is_kept(
        old, [{"id": "a", "labels": ["x"], "error": {"type": None, "new": 1}, "more": 2}]
    )
    for changed in (
        [],
        [{"id": "b", "labels": ["x"], "error": {"type": None}}],
        [{"id": "a", "labels": [], "error": {"type": None}}],
        [{"id": "a", "labels": ["x"], "error": {}}],
        [{"id": "a", "labels": ["x"], "error": None}],
    ):
        assert not is_kept(old, changed)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM runs WHERE id = (SELECT max(id) FROM runs)", "runs has "),
        ("UPDATE rollups SET success_count = success_count + 1", "rollups.success_count adds up"),
        ("UPDATE channels SET sealed_settings = ''", "channels.sealed_settings holds other values"),
        ("UPDATE users SET theme = 'dark' WHERE id = 1", "users.theme holds other values"),
        ("UPDATE runs SET error_message = NULL", "runs.error_message has 0 values"),
        ("ALTER TABLE workflows DROP COLUMN run_url", "workflows.run_url is gone"),
        ("DROP TABLE recovery_codes", "recovery_codes is gone"),
    ],
)
def test_a_loss_in_between_is_found(
    present: Release,
    loaded: Callable[[Release], Snapshot],
    empty_database_url: str,
    statement: str,
    found: str,
) -> None:
    before = loaded(present)
    said = list(find_differences(before, look(empty_database_url, statement)))
    assert any(each.startswith(found) for each in said), said


def test_what_is_meant_to_change_may_but_no_row_is_lost_by_it() -> None:
    was = {"runs": TableHeld(2, {"id": Held(2, 3, "a"), "note": Held(1, None, "b")})}
    new = {"runs": TableHeld(1, {"id": Held(2, 3, "a"), "note": Held(1, None, "c")})}
    lost = "runs has 1 rows instead of 2"
    assert list(find_differences(was, new)) == [lost, "runs.note holds other values"]
    assert list(find_differences(was, new, ["runs.note"])) == [lost]
    assert list(find_differences(was, {}, ["runs"])) == []


# --- Whether all releases are there, and hold all -------------------------------------------------


def find_missing(tags: Iterable[str], releases: Iterable[str], folder: Path) -> Iterator[str]:
    """Files of releases that are tagged, or stand in the changelog, and are not there."""
    for version in sorted({*tags, *releases}):
        yield from (
            f"{version}/{name}" for name in FILES if not (folder / version / name).is_file()
        )


def list_tags() -> list[str]:
    return [each.removeprefix("v") for each in git("tag", "--list", "v[0-9]*").split()]


def test_each_release_has_its_databases() -> None:
    releases = [each.name for each in read_changelog((ROOT / "CHANGELOG.md").read_text()).releases]
    assert list(find_missing(list_tags(), releases, FOLDER)) == []


def test_a_release_without_its_databases_is_found(tmp_path: Path) -> None:
    (tmp_path / "1.0.0").mkdir()
    for name in FILES[:2]:
        (tmp_path / "1.0.0" / name).touch()
    missing = ["1.0.0/told.json", *(f"1.1.0/{name}" for name in FILES)]
    assert list(find_missing(["1.0.0"], ["1.1.0", "1.0.0"], tmp_path)) == missing


def test_there_is_something_in_each_table_and_in_more_than_one_month(
    present: Release, loaded: Callable[[Release], Snapshot], empty_database_url: str
) -> None:
    held = loaded(present)
    assert [name for name, table in held.items() if not table.rows] == []
    if not empty_database_url.startswith("sqlite"):
        with psycopg.connect(address_of(empty_database_url)) as connection:
            rows = connection.execute("SELECT DISTINCT tableoid::regclass::text FROM events")
            assert {name for (name,) in rows} > {"events_2026_02"}


def test_it_is_text_for_people_and_the_same_whenever_it_is_made(
    present: Release, databases: Databases, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    again = make_present(databases, request, tmp_path)
    changed = [
        pair
        for pair in zip(present.text.splitlines(), again.text.splitlines(), strict=False)
        if pair[0] != pair[1]
    ]
    assert list(islice(changed, 3)) == [] and again == present
    assert all(sign.isprintable() or sign in "\n\t" for sign in present.text)
    assert "<script>window.__pwned=1</script>" in present.text
    assert len(present.text) < 1_000_000

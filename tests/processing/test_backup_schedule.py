"""The backup of each day: made once, by one worker, beside its work, and tried again."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from app.console.metric_families import list_families
from app.doctor.backup_health import check_backup_schedule, check_backups
from app.extensions import db, writing
from app.models import AuditEntry, BackupTurn
from app.processing import backup_schedule
from app.processing.backup_schedule import BackupSchedule, last_due
from app.processing.worker import Worker
from tests.console.pages import open_page
from tests.databases import Databases
from tests.factories import make_team, report
from tests.server import LiveServer, wait_for
from tests.sessions import make_client
from tests.teams import make_live_team

MakeApp = Callable[..., Flask]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def app(make_app: MakeApp, folder: Path) -> Iterator[Flask]:
    app = make_app(FLOWPULSE_BACKUP_DIR=str(folder))
    with app.app_context():
        make_team()
        yield app
        db.session.remove()


def program(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """What is run in the backup's place."""
    monkeypatch.setattr(backup_schedule, "COMMAND", (sys.executable, "-c", text))


@pytest.fixture
def workers(app: Flask) -> Iterator[list[Worker]]:
    workers = [Worker(), Worker()]
    for worker in workers:
        worker.beat()
    yield workers
    for worker in workers:
        worker._backups.end()
        worker._sweeper.end()


def turn() -> BackupTurn:
    db.session.rollback()
    return db.session.get_one(BackupTurn, 1)


def look_until_done(schedule: BackupSchedule) -> BackupTurn:
    def is_done() -> bool:
        schedule.look()
        return turn().finished_at is not None

    wait_for(is_done, 30)
    return turn()


def set_turn(**values: object) -> None:
    with writing() as session:
        session.execute(update(BackupTurn).values(**values))


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-01-15T03:14:59Z", "2026-01-14T03:15:00Z"),
        ("2026-01-15T03:15:00Z", "2026-01-15T03:15:00Z"),
        ("2026-01-01T00:00:00Z", "2025-12-31T03:15:00Z"),
    ],
)
def test_it_is_due_once_a_day(app: Flask, at: str, due: str) -> None:
    assert last_due(datetime.fromisoformat(at)) == datetime.fromisoformat(due)


def test_of_two_workers_one_makes_it_and_each_once_a_day(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted = tmp_path / "noted"
    program(monkeypatch, f"open({str(noted)!r}, 'a').write('x')")
    for _ in range(3):
        for worker in workers:
            worker._backups.look()
    look_until_done(workers[0]._backups)
    assert turn().taken_by == workers[0].name and turn().problem is None
    for _ in range(3):
        for worker in workers:
            worker._backups.look()
    assert noted.read_text() == "x"
    set_turn(due_at=datetime.now(UTC) - timedelta(days=2))
    look_until_done(workers[1]._backups)
    assert noted.read_text() == "xx" and turn().taken_by == workers[1].name


def test_two_that_saw_it_free_at_once_do_not_both_take_it(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import time; time.sleep(30)")
    first, second = (worker._backups for worker in workers)
    with monkeypatch.context() as patch:
        free = iter([first.look])

        def look_meanwhile(at: datetime) -> datetime:
            for look in free:
                look()
            return last_due(at)

        patch.setattr(backup_schedule, "last_due", look_meanwhile)
        second.look()
    assert second._process is None and first._process is not None


def test_what_fails_is_told_everywhere_and_tried_again_after_an_hour(
    app: Flask,
    workers: list[Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    program(monkeypatch, "import sys; sys.exit('Error: The disk <b>is</b> on fire.')")
    schedule = workers[0]._backups
    assert look_until_done(schedule).problem == "The disk <b>is</b> on fire."
    assert "The scheduled backup failed: The disk <b>is</b> on fire." in caplog.text
    found = check_backup_schedule()
    assert found.state == "fail" and "on fire" in found.message and found.fix
    client = make_client(app, db.session.scalar(text("SELECT email FROM users")))
    overview = client.get("/").text
    assert "The scheduled backup failed" in overview and "<b>is</b>" not in overview
    assert "on fire" in open_page(client, "/settings/doctor").text
    schedule.look()
    assert schedule._process is None
    program(monkeypatch, "")
    set_turn(finished_at=datetime.now(UTC) - timedelta(minutes=61))
    assert look_until_done(schedule).problem is None
    assert check_backup_schedule().state == "ok"
    assert "The scheduled backup failed" not in client.get("/").text


def test_one_whose_worker_is_gone_is_begun_anew_by_another(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import time; time.sleep(30)")
    first, second = (worker._backups for worker in workers)
    first.look()
    second.look()
    assert second._process is None
    first.end()  # As a worker that is told to stop does; then it signs off.
    workers[0].sign_off()
    program(monkeypatch, "")
    second.look()
    assert look_until_done(second).taken_by == workers[1].name


def test_one_that_hangs_holds_up_no_event(
    app: Flask, workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(monkeypatch, "import time; time.sleep(30)")
    worker = workers[0]
    worker.tidy()
    assert worker._backups._process is not None
    report(app.test_client(), make_team(first=False))
    began = time.monotonic()
    worker.work()
    assert time.monotonic() - began < 5
    assert db.session.scalar(text("SELECT count(*) FROM runs")) == 1


def test_without_the_setting_none_is_made(make_app: MakeApp) -> None:
    with make_app().app_context():
        schedule = BackupSchedule("x")
        schedule.look()
        assert schedule._process is None and db.session.get(BackupTurn, 1) is None
        assert check_backup_schedule().state == "ok"


def test_one_that_was_never_made_is_missed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
    for hour, state in ((8, "ok"), (10, "warn")):
        monkeypatch.setattr("app.doctor.backup_health.now", lambda hour=hour: at.replace(hour=hour))
        assert check_backup_schedule().state == state


def read_counts(printed: str) -> dict[str, int]:
    """Of the table that `backup` and `restore` print: rows, by what they are of."""
    found = re.findall(r"^([a-z][a-z ]*?) +([\d,]+) +[\d,]+$", printed, re.MULTILINE)
    return {what.replace(" ", "_"): int(rows.replace(",", "")) for what, rows in found}


def test_a_real_worker_makes_it_and_it_can_be_restored(
    make_server: Callable[..., LiveServer],
    make_app: MakeApp,
    databases: Databases,
    folder: Path,
    tmp_path: Path,
) -> None:
    """Steps 2 to 4 of the drill of docs/backup.md: what is restored has what was counted."""
    server = make_server(
        FLOWPULSE_BACKUP_DIR=str(folder),
        FLOWPULSE_BACKUP_DAILY="1",
        FLOWPULSE_BACKUP_WEEKLY="0",
        worker=False,
    )
    team = make_live_team(server)
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    answer = server.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    assert answer.status_code == 202
    for name in ("flowpulse-auto-20200101-000000.db", "other.db"):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
    server.start_worker()
    with make_app().app_context():
        wait_for(lambda: db.session.rollback() or check_backups().state == "ok", 60)
        noted = db.session.scalars(select(AuditEntry).where(AuditEntry.what == "backup_made"))
        counts = noted.first().details  # type: ignore[union-attr]
        told = {family.name: family for family in list_families()}
        last = told["flowpulse_backup_last_timestamp_seconds"].samples[0].value
        assert time.time() - last < 120
    (made,) = folder.glob("flowpulse-auto-2*.d*[bp]")
    assert made.stat().st_mode & 0o77 == 0 and (folder / "other.db").exists()
    url = databases.create_empty()
    restored = LiveServer(tmp_path / "drill", url, worker=False)
    done = restored.cli("restore", str(made))
    assert done.returncode == 0, done.stderr
    assert read_counts(done.stdout) == {
        name: count for name, count in counts.items() if name != "bytes"
    }
    assert counts["events"] == counts["users"] == 1
    tail = restored.cli("events", "tail", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in tail] == [answer.json()["event_id"]]
    findings = json.loads(restored.cli("doctor", "--json").stdout)
    assert {each["name"] for each in findings if each["state"] == "fail"} <= {"worker"}
    with make_app(FLOWPULSE_DATABASE_URL=url).app_context():
        for table in ("events", "workflows", "users"):
            statement = text(f"SELECT count(*) FROM {table}")
            assert db.session.scalar(statement) == counts[table]
        db.session.remove()
        db.engine.dispose()
    databases.drop(url)

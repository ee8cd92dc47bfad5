"""`doctor`: each thing that can be wrong is found, with its fix."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from app import create_app
from app.clock import now
from app.doctor.checks import CHECKS
from app.extensions import db, is_sqlite, writing
from app.models import Event, Purge, WorkerHeartbeat
from app.problems import PROBLEMS
from app.processing import size_limit
from app.processing.database_size import MEGABYTE, Holding
from app.processing.partition_list import list_partitions
from app.processing.worker import Worker
from tests.cli.conftest import Run
from tests.factories import make_team, report

Examine = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def examine(run: Run) -> Examine:
    """The findings by name, on a server that is prepared; `exit_code` as expected."""
    run("prepare")

    def read(exit_code: int = 0) -> dict[str, dict[str, str]]:
        findings = json.loads(run("doctor", "--json", exit_code=exit_code).stdout)
        assert len(findings) == len(CHECKS)
        for finding in findings:
            assert (finding["state"] == "ok") == (finding["fix"] is None), finding
        return {finding["name"]: finding for finding in findings}

    return read


@pytest.fixture
def worker(app: Flask) -> Worker:
    worker = Worker()
    worker.beat()
    return worker


def change_event(**values: object) -> None:
    with writing() as session:
        session.execute(update(Event).values(**values))


def test_a_sound_server_passes(examine: Examine, worker: Worker) -> None:
    findings = examine()
    assert {finding["state"] for finding in findings.values()} <= {"ok", "warn"}
    for name in ("data folder", "secret key", "connection", "migrations", "clock", "worker"):
        assert findings[name]["state"] == "ok", findings[name]


def test_of_a_move_no_more_is_said_than_is_known(examine: Examine, worker: Worker) -> None:
    """A move that has begun is known only to the database that it fills."""
    here = "was moved away" if is_sqlite() else "is half-way from another database"
    assert examine()["move"]["message"] == f"Nothing {here}."


def test_the_text_for_people_names_each_finding_and_its_fix(run: Run, worker: Worker) -> None:
    run("prepare")
    lines = run("doctor").stdout.splitlines()
    assert any(re.fullmatch(r"ok    worker: It was last seen \d s ago\.", line) for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("warn  public URL"))
    assert lines[at + 1] == (
        "      → Set FLOWPULSE_PUBLIC_URL, such as https://flowpulse.example.org."
    )


def test_without_a_worker_it_fails(examine: Examine) -> None:
    assert examine(exit_code=1)["worker"]["state"] == "fail"


def test_a_worker_that_stands_still_is_found(examine: Examine, worker: Worker) -> None:
    with writing() as session:
        session.execute(update(WorkerHeartbeat).values(seen_at=now() - timedelta(minutes=5)))
    assert "300 s ago" in examine(exit_code=1)["worker"]["message"]


def test_events_that_wait_or_failed_are_found(
    examine: Examine, worker: Worker, client: FlaskClient
) -> None:
    report(client, make_team())
    assert examine()["queue"]["state"] == "ok"
    change_event(next_attempt_at=now() - timedelta(minutes=10))
    assert "600 s" in examine()["queue"]["message"]
    change_event(state="failed", next_attempt_at=None)
    assert examine()["queue"]["message"] == "1 events could not be processed."


def test_how_much_the_database_holds_is_told_against_its_limit(
    app: Flask, examine: Examine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limit, "measure", lambda: Holding(3 * MEGABYTE, {}))
    finding = examine()["database size"]
    assert finding["message"] == "3 MB are in use; there is no limit."
    app.config["FLOWPULSE_MAX_DATABASE_MB"] = 4
    moment = datetime(2026, 2, 3, 12, tzinfo=UTC)
    row = {"day": moment.date(), "why": "size", "row_count": 5, "last_at": moment}
    with writing() as session:
        for what in ("rejected", "success"):
            session.add(Purge(**row, what=what, reached_at=moment))
    assert examine()["database size"]["message"] == (
        "3 MB are in use, of at most 4. Successes from before 2026-02-03 12:00Z went for it."
    )
    app.config["FLOWPULSE_MAX_DATABASE_MB"] = 2
    finding = examine()["database size"]
    assert (finding["state"], finding["fix"]) == ("warn", PROBLEMS["database_over_limit"].fix)


def test_a_database_that_is_behind_or_ahead_is_found(examine: Examine, worker: Worker) -> None:
    with writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "newer FlowPulse" in examine(exit_code=1)["migrations"]["fix"]
    with writing() as session:
        session.execute(text("DELETE FROM alembic_version"))
    assert "prepare" in examine(exit_code=1)["migrations"]["fix"]


def test_a_month_to_come_without_its_table_is_found(examine: Examine, worker: Worker) -> None:
    assert examine()["partitions"]["state"] == "ok"
    if is_sqlite():
        return
    next_month = list_partitions(db.session())[-1]
    with writing() as session:
        session.execute(text(f"DROP TABLE {next_month.name}"))
    found = examine()["partitions"]
    month = f"{next_month.start:%Y-%m}"
    assert found["state"] == "warn"
    assert found["message"] == f"The events of {month} have no table of their own."
    assert found["fix"] == PROBLEMS["month_without_table"].fix
    worker.tidy()
    assert examine()["partitions"]["state"] == "ok"


def test_an_event_from_the_future_casts_doubt_on_the_clock(
    examine: Examine, worker: Worker, client: FlaskClient
) -> None:
    report(client, make_team())
    change_event(received_at=now() + timedelta(hours=1))
    assert examine()["clock"]["state"] == "warn"


def test_a_clock_in_the_past_fails(
    examine: Examine, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.fromisoformat("1970-01-01T00:01:00Z")
    monkeypatch.setattr("app.doctor.database_health.now", lambda: long_ago)
    assert examine(exit_code=1)["clock"]["message"] == "This machine says it is 1970-01-01."


def test_a_database_that_others_can_read_is_found(examine: Examine, worker: Worker) -> None:
    if not is_sqlite():
        assert examine()["database file"]["state"] == "ok"
        return
    path = Path(str(db.engine.url.database))
    path.chmod(0o644)
    assert examine()["database file"]["fix"] == f"Run: chmod 600 {path}*"
    path.chmod(0o600)
    assert examine()["database file"]["state"] == "ok"


def test_folders_and_secrets_that_others_can_touch_fail(tmp_path: Path) -> None:
    settings = {"FLOWPULSE_DATA_DIR": tmp_path, "FLOWPULSE_DATABASE_URL": ""}
    runner = create_app({**settings, "FLOWPULSE_SECRET_KEY": ""}).test_cli_runner()
    (tmp_path / "secret_key").chmod(0o640)
    tmp_path.chmod(0o777)
    result = runner.invoke(args=["doctor"])
    assert result.exit_code == 1
    assert f"Run: chmod 600 {tmp_path}/secret_key" in result.stdout
    assert f"Run: chmod o-w {tmp_path}" in result.stdout
    (tmp_path / "secret_key").unlink()
    assert "secret_key is not there" in runner.invoke(args=["doctor"]).stdout


def test_a_database_that_does_not_answer_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    app = create_app({"FLOWPULSE_DATABASE_URL": url, "FLOWPULSE_DATA_DIR": tmp_path})
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    states = {finding["name"]: finding["state"] for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert (states["connection"], states["data folder"]) == ("fail", "ok")


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("https://flow.example.org", "ok"),
        ("http://localhost:8000", "ok"),
        ("http://flow.example.org", "warn"),
        ("", "warn"),
    ],
)
def test_the_public_url_should_be_set_and_safe(tmp_path: Path, url: str, state: str) -> None:
    app = create_app({"FLOWPULSE_PUBLIC_URL": url, "FLOWPULSE_DATA_DIR": tmp_path})
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert findings["public URL"]["state"] == state


@pytest.mark.parametrize(
    ("value", "host", "url", "state"),
    [
        ("0", "127.0.0.1", "", "ok"),
        ("0", "127.0.0.1", "https://flow.example.org", "warn"),
        ("1", "127.0.0.1", "https://flow.example.org", "ok"),
        ("1", "::1", "https://flow.example.org", "ok"),
        ("1", "10.0.0.5", "https://flow.example.org", "warn"),
        ("172.18.0.2", "10.0.0.5", "https://flow.example.org", "ok"),
        ("unix", "10.0.0.5", "https://flow.example.org", "ok"),
        ("172.18.0.2,0.0.0.0/0", "10.0.0.5", "https://flow.example.org", "warn"),
        ("::/0", "127.0.0.1", "https://flow.example.org", "warn"),
        (1, "10.0.0.5", "", "warn"),
    ],
)
def test_who_is_believed_as_a_proxy_should_be_few(
    tmp_path: Path, value: object, host: str, url: str, state: str
) -> None:
    settings = {"HOST": host, "FLOWPULSE_TRUSTED_PROXIES": value, "FLOWPULSE_PUBLIC_URL": url}
    app = create_app({**settings, "FLOWPULSE_DATA_DIR": tmp_path})
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert findings["proxies"]["state"] == state
    assert (findings["proxies"]["fix"] is None) == (state == "ok")


def test_an_audit_log_that_could_be_changed_is_found(examine: Examine, worker: Worker) -> None:
    assert examine()["audit log"]["state"] == "ok"
    on = "" if is_sqlite() else " ON audit_entries"
    with writing() as session:
        session.execute(text(f"DROP TRIGGER audit_entries_keep{on}"))
    found = examine(exit_code=1)["audit log"]
    assert found["state"] == "fail" and "audit_entries_keep" in found["message"]

"""/healthz and /readyz tell the truth, also while the database hangs."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text, update

from app import outages
from app.cli.migrations import MIGRATIONS
from app.clock import now
from app.doctor.revision import NEWEST
from app.extensions import writing
from app.models import WorkerHeartbeat
from app.processing.worker import Worker
from tests import apps
from tests.databases import PostgresDatabases
from tests.ports import free_port
from tests.postgres import PostgresCluster
from tests.server import LiveServer, wait_for


@pytest.fixture(autouse=True)
def _no_failed_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another test, shortly before."""
    monkeypatch.setattr(outages, "_seen", {})


def ask(client: FlaskClient, status: int) -> dict[str, dict[str, str]]:
    answer = client.get("/readyz")
    assert answer.status_code == status, answer.text
    assert answer.json["status"] == ("ok" if status == 200 else "fail")
    checks = {check["name"]: check for check in answer.json["checks"]}
    for check in checks.values():
        assert (check["state"] == "ok") == (check["fix"] is None), check
    return checks


def test_the_newest_migration_is_alembics_head() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == NEWEST


def test_a_server_with_a_worker_is_ready(client: FlaskClient) -> None:
    Worker().beat()
    checks = ask(client, 200)
    assert list(checks) == ["database", "migrations", "writing", "secret key", "worker"]


def test_without_a_worker_it_is_healthy_and_not_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert "worker" in ask(client, 503)["worker"]["fix"]


def test_a_killed_worker_is_missed_within_ten_seconds(client: FlaskClient) -> None:
    Worker().beat()
    for seconds, status in ((9, 200), (11, 503)):
        with writing() as session:
            session.execute(
                update(WorkerHeartbeat).values(seen_at=now() - timedelta(seconds=seconds))
            )
        ask(client, status)


def test_a_database_that_is_not_migrated_is_not_ready(client: FlaskClient) -> None:
    Worker().beat()
    with writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    checks = ask(client, 503)
    assert checks["migrations"]["state"] == "fail" and "0001" in checks["migrations"]["message"]
    assert "prepare" in checks["migrations"]["fix"] and checks["worker"]["state"] == "ok"


def test_one_that_cannot_be_written_is_not_ready(app: Flask, client: FlaskClient) -> None:
    Worker().beat()
    app.extensions["flowpulse_web_beat"].is_failing = True
    assert ask(client, 503)["writing"]["state"] == "fail"
    assert client.get("/healthz").status_code == 200, "what is stored can be read"


def test_one_whose_reports_find_no_room_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the beats of its processes find some, as with PostgreSQL."""
    Worker().beat()
    ask(client, 200)
    outages.explain(OSError(28, "No space left on device"))
    assert "disk" in ask(client, 503)["writing"]["message"]
    monkeypatch.setattr(outages, "_seen", {outages.DISK_FULL: time.monotonic() - 11})
    ask(client, 200)


def test_one_without_tables_is_neither(empty_database_url: str, tmp_path: Path) -> None:
    app = apps.make_app(empty_database_url, tmp_path)
    client = app.test_client()
    assert client.get("/healthz").status_code == 503
    assert list(ask(client, 503)) == ["database"]
    apps.close_app(app)


def test_a_database_that_is_away_is_told_without_its_address(tmp_path: Path) -> None:
    port = free_port()
    app = apps.make_app(f"postgresql+psycopg://secret-user@127.0.0.1:{port}/x", tmp_path)
    for path in ("/healthz", "/readyz"):
        answer = app.test_client().get(path)
        assert answer.status_code == 503 and answer.json["status"] == "fail"
        assert "secret-user" not in answer.text and str(port) not in answer.text
        assert "doctor" in answer.text and answer.headers["Retry-After"]
    apps.close_app(app)


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """The whole server hangs: it takes connections, and answers nothing."""
    engine = create_engine(url)
    asked = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    with engine.connect() as connection:
        pids = list(connection.scalars(asked))
        own = connection.scalar(text("SELECT pg_backend_pid()"))
        pids.append(psutil.Process(own).ppid())
    engine.dispose()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_while_the_database_hangs_both_answer_soon_and_say_so(
    postgres: PostgresCluster, tmp_path: Path
) -> None:
    databases = PostgresDatabases(postgres)
    url = databases.create()
    with LiveServer(tmp_path, url, is_migrated=True, WEB_CONCURRENCY="1") as server:
        wait_for(lambda: server.get("/readyz").status_code == 200, 20)
        with frozen(url):
            wait_for(lambda: server.get("/healthz").status_code == 503, 10)
            for _ in range(2):
                with ThreadPoolExecutor(2) as pool:
                    answers = list(pool.map(server.get, ("/healthz", "/readyz")))
                for answer in answers:
                    assert answer.elapsed.total_seconds() < 4.5
                    assert answer.status_code == 503 and "did not answer within 3 s" in answer.text
        wait_for(lambda: server.get("/healthz").status_code == 200, 10)
        wait_for(lambda: server.get("/readyz").status_code == 200, 20)
    databases.drop(url)


@pytest.mark.once
def test_the_real_server_notices_that_its_worker_was_killed(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(LiveServer)
    wait_for(lambda: server.get("/readyz").status_code == 200, 20)
    server.kill_worker()
    began = time.monotonic()
    wait_for(lambda: server.get("/readyz").status_code == 503, 12)
    assert time.monotonic() - began < 12
    assert server.get("/healthz").status_code == 200
    server.start_worker()
    wait_for(lambda: server.get("/readyz").status_code == 200, 20)

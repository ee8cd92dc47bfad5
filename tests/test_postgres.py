"""Connections to PostgreSQL notice that their other end is gone, and read dates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import make_url, text

from app.doctor.database_health import check_partitions
from app.extensions import db, is_sqlite, reading_from_replica, writing
from app.ingest.service import ingest_service
from app.ingest.store import AwayError
from app.keys import make_key
from app.postgres import POOL_SECONDS, engine_options
from app.processing.partition_list import list_partitions
from app.processing.partitions import tend_partitions
from tests import apps
from tests.ports import free_port

WATCHED = ("tcp_keepalives_idle", "tcp_user_timeout")


@pytest.fixture(autouse=True)
def _on_postgresql(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("a matter of PostgreSQL")


def show(name: str) -> str:
    return str(db.session.scalar(text(f"SHOW {name}")))


def test_both_ends_of_each_connection_look_after_the_other(app: Flask) -> None:
    assert [show(name) for name in WATCHED] == ["5", "5000"]
    options: Any = db.session.connection().connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]
    assert (options["keepalives_idle"], options["tcp_user_timeout"]) == ("5", "5000")
    store = ingest_service().store
    assert [store.fetch_one(f"SHOW {name}")[0] for name in WATCHED] == ["5", "5000"]


def test_only_what_writes_may_not_stand_still(app: Flask) -> None:
    assert show("idle_in_transaction_session_timeout") == "0"
    with writing():
        assert show("idle_in_transaction_session_timeout") == "8s"
    assert show("idle_in_transaction_session_timeout") == "0"


def test_what_the_url_says_wins() -> None:
    url = "postgresql+psycopg://h/d?connect_timeout=60&options=-c%20work_mem%3D8MB"
    arguments = engine_options(url)["connect_args"]
    assert "connect_timeout" not in arguments and arguments["tcp_user_timeout"] == 5_000
    assert arguments["options"].endswith("-c work_mem=8MB")


def test_dates_are_read_whatever_way_of_writing_them_the_database_has(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    with writing() as session:
        name = make_url(database_url).database
        session.execute(text(f"ALTER DATABASE {name} SET datestyle = 'German'"))
    made = make_app(FLOWPULSE_REPLICA_URL=database_url)
    with made.app_context():
        upgrade()
        tend_partitions()
        months = [each.start for each in list_partitions(db.session()) if each.start]
        assert months == sorted(months) and len(months) == 2
        assert check_partitions().state == "ok"
        with reading_from_replica():
            assert db.session.scalar(text("SELECT now()")).tzinfo
        assert ingest_service().store.fetch_one("SELECT now()")[0].tzinfo
        db.session.remove()


def test_a_look_up_is_tried_again_where_that_costs_no_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart has ended what idles; where the way is cut, each try would take seconds."""
    store = ingest_service().store
    end_all = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'flowpulse ingest' AND datname = current_database()"
    )
    for seconds, outcome in ((1.0, (1,)), (-1.0, None)):
        monkeypatch.setattr("app.ingest.postgres_store.AT_ONCE_SECONDS", seconds)
        store.fetch_one("SELECT 1")
        db.session.execute(end_all).all()
        db.session.rollback()
        if outcome:
            assert store.fetch_one("SELECT 1") == outcome
        else:
            with pytest.raises(AwayError):
                store.fetch_one("SELECT 1")


def test_a_connection_that_is_lost_after_the_answer_was_made_takes_nothing_back(app: Flask) -> None:
    own = db.session.scalar(text("SELECT pg_backend_pid()"))
    with db.engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
    db.session.remove()  # As at the end of each request.
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert db.session.scalar(text("SELECT 1")) == 1


def test_a_page_that_gets_no_connection_says_so(app: Flask, client: FlaskClient) -> None:
    pool: Any = db.engine.pool
    assert pool._timeout == POOL_SECONDS
    pool._timeout = 0.05
    taken = [db.engine.connect() for _ in range(pool.size() + pool._max_overflow)]
    assert client.get("/healthz").status_code == 503
    for connection in taken:
        connection.close()
    assert client.get("/healthz").status_code == 200


def test_an_outage_takes_a_line_of_the_log_for_each_request_and_no_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = apps.make_app(f"postgresql+psycopg://x@127.0.0.1:{free_port()}/x", tmp_path)
    answer = app.test_client().post(
        "/api/v1/ingest/run-success", json={}, headers={"X-API-Key": make_key()}
    )
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert caplog.records
    assert not any(record.exc_info for record in caplog.records)
    apps.close_app(app)

"""What is written of a statement that failed: what the driver says, and no value of any row."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from app.extensions import db, is_sqlite, writing
from app.ingest.service import ingest_service
from app.log_lines import DATES, LogLines, line_of
from app.models import Event, User
from app.processing.batch import process_batch
from tests.console.pages import send_form
from tests.factories import PASSWORD, Team, make_team, report
from tests.sessions import make_client

NEW = "quite another long password"
ADDRESS = "somebody.else@example.org"


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def owner(app: Flask, team: Team) -> FlaskClient:
    return make_client(app, team.email)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that a server would write to its log."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(LogLines(line_of("web"), DATES))
    logger = logging.getLogger("app")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.disabled = False
    yield written
    logger.removeHandler(handler)
    logger.setLevel(before)


def refuse_changes(table: str, column: str) -> None:
    """As a broken disk, a rule of somebody else's or a bug would."""
    with writing() as session:
        if is_sqlite():
            session.execute(
                text(
                    f"CREATE TRIGGER refuse BEFORE UPDATE OF {column} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: refuse'); END"
                )
            )
        else:
            session.execute(
                text(f"ALTER TABLE {table} ADD CONSTRAINT refuse CHECK ({column} = '') NOT VALID")
            )


def assert_tells_without(log: io.StringIO, *values: str) -> None:
    written = log.getvalue()
    assert "refuse" in written and "UPDATE users" in written  # What failed, and why.
    for value in ("$argon2", "argon2id", "DETAIL", "[parameters", *values):
        assert value not in written, value


def test_a_password_that_can_not_be_changed_leaves_no_hash_in_the_log(
    owner: FlaskClient, team: Team, log: io.StringIO
) -> None:
    refuse_changes("users", "password_hash")
    values: dict[str, Any] = {"old_password": PASSWORD, "new_password": NEW}
    answer = send_form(owner, "/account", "/account/password", **values)
    assert answer.status_code == 500
    assert_tells_without(log, team.email, NEW, PASSWORD)


def test_an_address_that_can_not_be_changed_is_not_in_the_log(
    app: Flask, owner: FlaskClient, team: Team, log: io.StringIO
) -> None:
    refuse_changes("users", "email")
    values: dict[str, Any] = {"email": ADDRESS, "password": PASSWORD}
    assert send_form(owner, "/account", "/account/profile", **values).status_code >= 400
    logging.getLogger("app").error("%s", fail(update(User).values(email=ADDRESS)))
    assert_tells_without(log, team.email, ADDRESS)


def fail(statement: object) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught, writing() as session:
        session.execute(statement)  # type: ignore[call-overload]
    return caught.value


def test_a_value_that_is_no_date_or_number_is_not_repeated(app: Flask, team: Team) -> None:
    if is_sqlite():
        pytest.skip("SQLite takes all values")
    for kind in ("integer", "timestamptz", "jsonb", "uuid"):
        statement = text(f"SELECT CAST(CAST(:value AS text) AS {kind})").bindparams(
            value='hunter2 "hunter2" hunter2'
        )
        said = str(fail(statement))
        assert "hunter2" not in said and "SQLSTATE 22" in said


def test_a_double_is_told_without_its_value(app: Flask, team: Team) -> None:
    with writing() as session:
        session.add(User(email=ADDRESS, name="", password_hash="$argon2id$other"))
    error = fail(update(User).where(User.email == ADDRESS).values(email=team.email))
    for said in (str(error), str(error.orig), repr(error.orig)):
        assert team.email not in said and "email" in said


def test_the_lean_road_tells_no_values_either(app: Flask, team: Team, log: io.StringIO) -> None:
    statement = "UPDATE users SET email = ? WHERE 1 = 1"
    refuse_changes("users", "email")
    store = ingest_service().store
    try:
        with store.writing() as cursor:
            cursor.execute(store.sql(statement), (ADDRESS,))
    except Exception:
        logging.getLogger("app").exception("UPDATE users failed")
    assert_tells_without(log, team.email, ADDRESS)


def test_every_engine_hides_what_statements_are_given(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    more = {} if database_url.startswith("sqlite") else {"FLOWPULSE_REPLICA_URL": database_url}
    app = make_app(**more)
    with app.app_context():
        assert db.engines and all(engine.hide_parameters for engine in db.engines.values())


def test_no_engine_is_made_that_does_not() -> None:
    root = Path(__file__).parent.parent
    for folder in ("app", "migrations"):
        for path in (root / folder).rglob("*.py"):
            source = path.read_text("utf-8")
            assert source.count("create_engine(") == source.count("hide_parameters=True)"), path


def test_what_an_event_failed_of_is_kept_without_values(
    client: FlaskClient, team: Team, log: io.StringIO
) -> None:
    report(client, team, "failure", error_message="hunter2 is what I said")
    with writing() as session:
        if is_sqlite():
            session.execute(
                text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON runs "
                    "BEGIN SELECT RAISE(ABORT, 'refuse'); END"
                )
            )
        else:
            session.execute(
                text("ALTER TABLE runs ADD CONSTRAINT refuse CHECK (error_message = '') NOT VALID")
            )
    process_batch(10)
    failure = db.session.scalar(select(Event.failure).order_by(Event.id.desc()).limit(1))
    assert failure and "refuse" in failure
    for said in (failure, log.getvalue()):
        assert "hunter2" not in said

"""Pages that are read from a streaming replica: what they may show late, and what never."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextvars import Context
from itertools import islice
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url

from app.console import replica, stream
from app.extensions import db
from app.processing.batch import process_batch
from app.processing.web_beat import beat
from tests import apps
from tests.console.pages import Page
from tests.databases import Databases
from tests.factories import Team, make_team, report
from tests.postgres import PostgresCluster, PostgresReplica
from tests.server import wait_for
from tests.sessions import make_client

PAUSE, RESUME = "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"

END_ALL = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture(scope="module")
def standby(database_kind: str, request: pytest.FixtureRequest) -> Iterator[PostgresReplica]:
    if database_kind == "sqlite":
        pytest.skip("a matter of PostgreSQL")
    primary: PostgresCluster = request.getfixturevalue("postgres")
    cluster = PostgresReplica(primary)
    yield cluster
    cluster.stop()


@pytest.fixture(autouse=True)
def _look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(replica, "MARGIN_SECONDS", 0.0)


@pytest.fixture
def app(
    make_app: Callable[..., Flask], standby: PostgresReplica, database_url: str
) -> Iterator[Flask]:
    """An app that reads pages from the replica."""
    standby.execute(RESUME)
    made = make_app(FLOWPULSE_REPLICA_URL=standby.url(str(make_url(database_url).database)))
    with made.app_context():
        yield made
        db.session.remove()
        standby.execute(RESUME)


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def owner(app: Flask, team: Team, standby: PostgresReplica) -> FlaskClient:
    """Signed in, with a replica that knows it all."""
    client = make_client(app, team.email)
    catch_up(standby)
    return client


def catch_up(standby: PostgresReplica) -> None:
    """Until the replica has replayed all that was committed so far: the tests' server does not wait
    with a commit until it is written."""
    with db.engine.connect() as connection:
        written = connection.exec_driver_sql("SELECT pg_current_wal_insert_lsn()").scalar_one()
    wait_for(lambda: standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{written}'"), 20)  # type: ignore[arg-type]


def pause(standby: PostgresReplica) -> None:
    """Asked to, a replica goes on for a moment; until it really replays nothing more."""
    standby.execute(PAUSE)
    wait_for(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state()") == "paused", 20)


def count_rows(client: FlaskClient) -> int:
    answer = client.get("/events")
    assert answer.status_code == 200
    return len(re.findall('<tr id="event-', answer.text))


def test_the_log_is_read_from_the_replica(
    owner: FlaskClient, app: Flask, team: Team, standby: PostgresReplica
) -> None:
    pause(standby)
    report(app.test_client(), team)
    assert count_rows(owner) == 0
    standby.execute(RESUME)
    catch_up(standby)
    assert count_rows(owner) == 1


@pytest.mark.parametrize("query", ["", "?workflow={slug}", "?state=processed"])
def test_the_stream_adds_what_a_page_from_the_replica_lacks(
    owner: FlaskClient,
    app: Flask,
    team: Team,
    standby: PostgresReplica,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
) -> None:
    """Once only, and nothing that the page had shown."""
    monkeypatch.setattr(stream, "BEAT_SECONDS", 0)  # It goes on, should there be nothing to tell.
    shown = send_and_process(app, team)
    catch_up(standby)
    pause(standby)
    added = send_and_process(app, team)
    page = Page(owner.get("/events" + query.format(slug=team.slug)).text)
    assert page.has_id(f"event-{shown}") and not page.has_id(f"event-{added}")
    (address,) = [
        href for _, values in page.tags if (href := values.get("hx-sse:connect")) is not None
    ]
    told = Context().run(read_stream, owner, address)
    assert told.count(f'id="event-{added}"') == 1 and f"event-{shown}" not in told


def read_stream(client: FlaskClient, address: str) -> str:
    """How it begins. It has to be read in the context that it was opened in."""
    answer = FlaskClient.open(client, address)
    told = b"".join(islice(answer.iter_encoded(), 4)).decode()
    answer.close()
    return told


def send_and_process(app: Flask, team: Team) -> str:
    """The id of a new event."""
    event_id = report(app.test_client(), team).json["event_id"]
    process_batch(10)
    return str(event_id)


def test_whoever_has_changed_something_reads_what_holds(
    owner: FlaskClient, app: Flask, team: Team, standby: PostgresReplica
) -> None:
    """And again from the replica, once that knows of it."""
    pause(standby)
    report(app.test_client(), team)
    form = Page(owner.get("/settings").text).form("/settings/name")
    assert owner.post("/settings/name", data={**form.fields, "workspace": "New"}).status_code == 303
    assert count_rows(owner) == 1
    standby.execute(RESUME)
    beat()
    catch_up(standby)
    pause(standby)
    report(app.test_client(), team)
    assert count_rows(owner) == 1  # Not 2: what others did since is late.


def test_one_event_a_new_run_and_a_new_session_are_there_at_once(
    owner: FlaskClient, app: Flask, team: Team, standby: PostgresReplica
) -> None:
    pause(standby)
    event_id = report(app.test_client(), team).json["event_id"]
    assert owner.get(f"/events/{event_id}").status_code == 200
    other = make_client(app, team.email)
    assert other.get("/runs").status_code == 200
    path = f"/problems/{'0' * 16}"
    assert owner.get(path).status_code == 404  # Asked for in both.


def test_a_replica_that_is_away_costs_a_line_and_no_page(
    owner: FlaskClient,
    app: Flask,
    team: Team,
    standby: PostgresReplica,
    caplog: pytest.LogCaptureFixture,
) -> None:
    report(app.test_client(), team)
    assert count_rows(owner) in (0, 1)  # The pool has a connection now.
    standby.execute(END_ALL)
    with caplog.at_level(logging.WARNING):
        assert [count_rows(owner) for _ in range(3)] == [1, 1, 1]
    said = [each for each in caplog.messages if "not from its replica" in each]
    assert len(said) == 1


def test_a_replica_that_is_far_behind_is_left_out(
    owner: FlaskClient,
    app: Flask,
    team: Team,
    standby: PostgresReplica,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pause(standby)
    report(app.test_client(), team)
    monkeypatch.setattr(replica, "MOST_BEHIND_SECONDS", 0.0)
    assert count_rows(owner) == 1


def test_a_server_that_is_no_replica_is_not_used(
    make_app: Callable[..., Flask], team: Team, database_url: str
) -> None:
    made = make_app(FLOWPULSE_REPLICA_URL=database_url)
    with made.app_context():
        assert "no streaming replica" in str(replica.read_state().problem)


@pytest.fixture
def foreign_standby(standby: PostgresReplica, database_url: str) -> Iterator[str]:
    """The URL of a database of which the standby has one of the same name, as every server may."""
    cluster = PostgresCluster(standby.binaries)
    yield cluster.create_database(str(make_url(database_url).database))
    cluster.stop()


def test_a_replica_of_another_server_is_not_used(
    app: Flask, standby: PostgresReplica, foreign_standby: str, tmp_path: Path
) -> None:
    catch_up(standby)
    assert replica.read_state().problem is None
    other = apps.make_app(
        foreign_standby,
        tmp_path / "other",
        FLOWPULSE_REPLICA_URL=app.config["FLOWPULSE_REPLICA_URL"],
    )
    with other.app_context():
        assert "copy of another database" in str(replica.read_state().problem)
    apps.close_app(other)


def test_another_database_of_a_replica_is_not_used(
    make_app: Callable[..., Flask],
    standby: PostgresReplica,
    databases: Databases,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its log is never shown, a line says why, and so does doctor."""
    foreign_url = databases.create()
    name = str(make_url(foreign_url).database)
    made = make_app(FLOWPULSE_REPLICA_URL=standby.url(name))
    with made.app_context(), caplog.at_level(logging.WARNING):
        team = make_team()
        report(made.test_client(), team)
        catch_up(standby)
        owner = make_client(made, team.email)
        assert [count_rows(owner) for _ in range(3)] == [1, 1, 1]
        found = json.loads(made.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)
        db.session.remove()
    (line,) = [each for each in caplog.messages if "not from its replica" in each]
    (finding,) = [each for each in found if each["name"] == "replica"]
    assert finding["state"] == "warn"
    assert "copy of another database" in line and name in line and name in finding["message"]
    databases.drop(foreign_url)


def test_a_page_on_a_known_connection_does_not_ask_whose_copy_it_is(
    owner: FlaskClient,
    app: Flask,
    team: Team,
    standby: PostgresReplica,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert count_rows(owner) == 0
    monkeypatch.setattr(replica, "WHICH_DATABASE", "SELECT 1 / 0")
    pause(standby)
    report(app.test_client(), team)
    assert count_rows(owner) == 0


def test_both_are_asked_in_the_same_way(owner: FlaskClient, app: Flask) -> None:
    with app.app_context():
        for engine in db.engines.values():
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SHOW jit").scalar() == "off"


def test_how_far_it_is_behind_is_told(owner: FlaskClient, app: Flask) -> None:
    assert "knows everything up to" in Page(owner.get("/settings").text).text
    found = json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)
    (finding,) = [each for each in found if each["name"] == "replica"]
    assert finding["state"] == "ok" and "It knows everything up to" in finding["message"]

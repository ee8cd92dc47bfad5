"""A machine with another secret key is told so, and takes no part until that is mended."""

import json
from collections.abc import Callable
from contextvars import Context

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update

from app.extensions import db, writing
from app.models import Instance
from app.processing.secret_mark import EXPLANATION
from tests.factories import Team, make_team, report
from tests.server import SECRET

OTHER = "another machine made this one by itself, at its start"
MakeApp = Callable[..., Flask]


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def run(app: Flask, *arguments: str) -> Result:
    """Without the test's own application context: the command would use that."""
    runner = app.test_cli_runner()
    return Context().run(lambda: runner.invoke(args=list(arguments)))


def prepare(app: Flask, *options: str) -> Result:
    return run(app, "prepare", *options)


def kept_mark() -> str | None:
    db.session.rollback()
    return db.session.scalar(select(Instance.secret_mark))


def test_prepare_refuses_a_machine_with_another_secret_key(team: Team, make_app: MakeApp) -> None:
    before = kept_mark()
    done = prepare(make_app(FLOWPULSE_SECRET_KEY=OTHER))
    assert done.exit_code == 1
    assert EXPLANATION in done.output and OTHER not in done.output
    assert kept_mark() == before is not None


def test_before_anybody_has_set_the_server_up_any_key_will_do(
    app: Flask, make_app: MakeApp
) -> None:
    assert prepare(make_app(FLOWPULSE_SECRET_KEY=OTHER)).exit_code == 0
    assert prepare(app).exit_code == 0


def test_a_database_from_before_takes_the_first_key_that_comes(
    team: Team, app: Flask, make_app: MakeApp
) -> None:
    with writing() as session:
        session.execute(update(Instance).values(secret_mark=None))
    assert prepare(app).exit_code == 0
    assert prepare(make_app(FLOWPULSE_SECRET_KEY=OTHER)).exit_code == 1


def test_a_key_is_replaced_where_the_former_is_known_or_that_is_asked_for(
    team: Team, app: Flask, make_app: MakeApp
) -> None:
    known = make_app(FLOWPULSE_SECRET_KEY=OTHER, FLOWPULSE_OLD_SECRET_KEYS=["x" * 40, OTHER])
    assert prepare(known).exit_code == 1  # A former key in vain: it isn't that of the database.
    with_spaces_left_out = SECRET.replace(" ", "")
    for secret, former in ((with_spaces_left_out, ()), (OTHER, (with_spaces_left_out,))):
        changed = make_app(FLOWPULSE_SECRET_KEY=secret, FLOWPULSE_OLD_SECRET_KEYS=list(former))
        assert prepare(changed, *([] if former else ["--new-secret-key"])).exit_code == 0
        assert prepare(changed).exit_code == 0
    assert prepare(app).exit_code == 1


def test_the_worker_does_not_start_and_the_doctor_says_why(team: Team, make_app: MakeApp) -> None:
    other = make_app(FLOWPULSE_SECRET_KEY=OTHER)
    refused = run(other, "worker")
    assert refused.exit_code == 1 and EXPLANATION in refused.output
    doctor = json.loads(run(other, "doctor", "--json").stdout)
    findings = {each["name"]: each for each in doctor}
    assert findings["secret key of the database"]["state"] == "fail"


def test_a_good_key_is_not_called_unknown_there_but_asked_to_come_again(
    team: Team, app: Flask, make_app: MakeApp
) -> None:
    """A sender gives up after 401, and the event would be lost."""
    other = make_app(FLOWPULSE_SECRET_KEY=OTHER).test_client()
    answer = report(other, team)
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert answer.json["code"] == "unavailable"
    assert other.get("/healthz").status_code == 503
    assert app.test_client().get("/healthz").status_code == 200
    assert report(app.test_client(), team).status_code == 202


def test_an_unknown_key_stays_unknown_where_the_secret_key_is_right(
    team: Team, app: Flask, make_app: MakeApp
) -> None:
    from_elsewhere = {**team.headers, "X-API-Key": "fp_" + "x" * 36}
    answer = app.test_client().post("/api/v1/ingest/run-success", json={}, headers=from_elsewhere)
    assert answer.status_code == 401

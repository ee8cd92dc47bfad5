"""Whoever guesses elsewhere keeps nobody out of a new browser where they have signed in before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.workspaces import past_sign_ins
from tests.console.pages import Page, open_page, sign_in
from tests.console.test_tries import MOST, guess
from tests.console.test_two_factor import CODE_PATH, code_of, forget_step, switch_on
from tests.factories import PASSWORD, Team
from tests.simulated_time import simulated_time

OFFICE, ELSEWHERE = "198.51.100.200", "203.0.113.200"


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    with simulated_time(datetime.now(UTC)):
        yield


def enter(app: Flask, email: str, address: str) -> int:
    """The status of the right password in a new browser at this address."""
    client, environ = app.test_client(), {"REMOTE_ADDR": address}
    data = {**open_page(client, "/sign-in").form("/sign-in").fields, "email": email}
    data["password"] = PASSWORD
    return client.post("/sign-in", data=data, environ_overrides=environ).status_code


def fill_account(client: FlaskClient, email: str) -> None:
    tried = [guess(client, email, f"192.0.2.{number}") for number in range(MOST + 1)]
    assert tried == [422] * MOST + [429]


def test_at_an_address_of_former_sign_ins_a_new_browser_gets_in(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    assert enter(app, team.email, OFFICE) == 303
    fill_account(client, team.email)
    assert enter(app, team.email, ELSEWHERE) == 429
    assert enter(app, team.email, OFFICE) == 303
    assert enter(app, team.email.upper(), f"::ffff:{OFFICE}") == 303


def test_a_busy_address_hides_no_other(
    app: Flask, client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_sign_ins, "MOST_ADDRESSES", 2)
    assert enter(app, team.email, OFFICE) == 303
    for _ in range(3):
        assert enter(app, team.email, "198.51.100.201") == 303
    fill_account(client, team.email)
    assert enter(app, team.email, OFFICE) == 303


def test_guessing_is_limited_there_as_well(app: Flask, client: FlaskClient, team: Team) -> None:
    assert enter(app, team.email, OFFICE) == 303
    fill_account(client, team.email)
    for _ in range(MOST):
        assert guess(client, team.email, OFFICE) == 422
    assert guess(client, team.email, OFFICE) == 429
    with simulated_time(datetime.now(UTC) + timedelta(minutes=2)):
        assert [guess(client, team.email, OFFICE) for _ in range(3)] == [422, 422, 429]


@pytest.mark.once
def test_nobody_else_s_sign_ins_and_none_of_long_ago_count(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    with simulated_time(datetime.now(UTC) - timedelta(days=91)):
        assert enter(app, team.email, OFFICE) == 303
    fill_account(client, team.email)
    fill_account(client, "bob@example.org")
    assert enter(app, team.email, OFFICE) == 429
    assert enter(app, "bob@example.org", OFFICE) == 429


@pytest.mark.once
def test_the_second_step_goes_on_there_too(app: Flask, client: FlaskClient, team: Team) -> None:
    """Also where somebody who has the password guesses codes elsewhere."""
    assert enter(app, team.email, "127.0.0.1") == 303
    secret, _ = switch_on(team.email)
    for number in range(MOST):
        thief, place = app.test_client(), {"REMOTE_ADDR": f"192.0.2.{number}"}
        page = Page(sign_in(thief, team.email).text)
        data = {**page.form(CODE_PATH).fields, "code": "000000"}
        assert thief.post(CODE_PATH, data=data, environ_overrides=place).status_code == 422
    forget_step()
    own = app.test_client()
    data = {**Page(sign_in(own, team.email).text).form(CODE_PATH).fields, "code": code_of(secret)}
    elsewhere = {"REMOTE_ADDR": ELSEWHERE}
    assert own.post(CODE_PATH, data=data, environ_overrides=elsewhere).status_code == 429
    assert own.post(CODE_PATH, data=data).status_code == 303

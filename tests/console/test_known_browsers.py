"""What a browser that has signed in before is known by, and what makes it a stranger again."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.known_browsers import NAME
from app.workspaces.rescue import reset_password
from app.workspaces.two_factor import turn_off
from tests.console.pages import open_page, send_form, sign_in, submit
from tests.console.test_tries import MOST, guess
from tests.console.test_two_factor import (
    OFFER_PATH,
    code_of,
    first_step,
    forget_step,
    offered_key,
    person,
    second_step,
    switch_on,
)
from tests.factories import PASSWORD, Team
from tests.simulated_time import simulated_time

NEW = "quite another long password"


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    with simulated_time(datetime.now(UTC)):
        yield


def leave(client: FlaskClient) -> None:
    send_form(client, "/account", "/sign-out")


def is_known(app: Flask, client: FlaskClient, email: str) -> bool:
    """Whether it may try although nobody else may, after guesses elsewhere."""
    for number in range(MOST):
        guess(app.test_client(), email, f"198.51.100.{number}")
    return guess(client, email) == 422


@pytest.mark.once
def test_another_password_makes_each_browser_a_stranger(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    sign_in(client, team.email)
    leave(client)
    reset_password(team.email, NEW)
    assert not is_known(app, client, team.email)


@pytest.mark.once
@pytest.mark.parametrize("way", ["on", "off"])
def test_a_second_factor_makes_each_browser_a_stranger(
    app: Flask, client: FlaskClient, team: Team, way: str
) -> None:
    """Thousands may have been collected while the password alone was enough."""
    if way == "off":
        secret, _ = switch_on(team.email)
        second_step(client, first_step(client, team.email), code=code_of(secret))
    else:
        sign_in(client, team.email)
    leave(client)
    switch_on(team.email) if way == "on" else turn_off(person(team.email), "")
    assert not is_known(app, client, team.email)


@pytest.mark.once
@pytest.mark.parametrize("change", ["password", "address", "second factor", "none again"])
def test_the_browser_that_makes_the_change_stays_known(
    app: Flask, client: FlaskClient, team: Team, change: str
) -> None:
    sign_in(client, team.email)
    email = team.email
    if change == "password":
        values = {"old_password": PASSWORD, "new_password": NEW}
        answer = send_form(client, "/account", "/account/password", **values)
    elif change == "address":
        email = "new@example.org"
        answer = send_form(client, "/account", "/account/profile", email=email, password=PASSWORD)
    elif change == "second factor":
        page = open_page(client, OFFER_PATH)
        code = code_of(offered_key(page))
        answer = submit(client, page.form(OFFER_PATH), code=code)
    else:
        switch_on(email)
        path = f"{OFFER_PATH}/off"
        answer = send_form(client, "/account", path, two_factor_password=PASSWORD)
    assert answer.status_code in (200, 303)
    leave(client)
    assert is_known(app, client, email)


@pytest.mark.once
def test_a_new_name_makes_no_browser_known(app: Flask, owner: FlaskClient, team: Team) -> None:
    """It takes no password."""
    send_form(owner, "/account", "/account/profile", name="Ana")
    assert owner.get_cookie(NAME) is None


@pytest.mark.once
def test_codes_have_a_limit_over_all_known_browsers(app: Flask, team: Team) -> None:
    """Which strangers can't use up: they have their own, a third of it."""
    secret, _ = switch_on(team.email)
    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        second_step(browser, first_step(browser, team.email), code=code_of(secret))
        leave(browser)
        forget_step()
    tried = []
    for browser in browsers:
        page = first_step(browser, team.email)
        tried += [second_step(browser, page, code="000000")[0] for _ in range(MOST)]
    assert tried == [422] * 3 * MOST + [429] * MOST

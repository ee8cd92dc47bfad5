"""Who guesses passwords has to wait, by account and by address, and locks nobody out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.console.known_browsers import NAME
from app.extensions import db
from app.workspaces import passwords
from app.workspaces.tries import Allowance, of_account, of_address, take
from tests.console.pages import Page, open_page, send_form, sign_in
from tests.factories import PASSWORD, Team
from tests.simulated_time import simulated_time

MOST = 10


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    """However long the tries take: an address may try again after six seconds."""
    with simulated_time(datetime.now(UTC)):
        yield


def guess(client: FlaskClient, email: str, address: str = "192.0.2.1", **more: Any) -> int:
    """The status of a wrong password that comes from this address."""
    data = {**open_page(client, "/sign-in").form("/sign-in").fields, "email": email}
    environ = {"REMOTE_ADDR": address}
    answer = client.post(
        "/sign-in", data={**data, "password": "no"}, environ_overrides=environ, **more
    )
    assert (answer.status_code == 429) == ("Retry-After" in answer.headers)
    return answer.status_code


def test_an_address_waits_whichever_accounts_it_tries(client: FlaskClient, team: Team) -> None:
    tried = [guess(client, f"somebody-{number}@example.org") for number in range(MOST + 1)]
    assert tried == [422] * MOST + [429]
    assert guess(client, "more@example.org", "192.0.2.2") == 422


def test_an_account_waits_wherever_the_tries_come_from(client: FlaskClient, team: Team) -> None:
    """Also one that does not exist: else the limit would tell who does."""
    for email in (team.email, "nobody@example.org"):
        tried = [guess(client, email, f"198.51.100.{number}") for number in range(MOST + 1)]
        assert tried == [422] * MOST + [429]
        assert guess(client, email.upper(), "203.0.113.1") == 429


def test_processes_count_together(make_app: Callable[..., Flask], team: Team) -> None:
    clients = [make_app().test_client() for _ in range(3)]
    tried = [guess(clients[number % 3], team.email) for number in range(MOST + 1)]
    assert tried == [422] * MOST + [429]


def test_tries_at_the_same_moment_are_as_many(app: Flask) -> None:
    allowance = Allowance("code-test", 3, 60)

    def act(_: int) -> int:
        with app.app_context():
            return take([allowance])

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(act, range(12)))
    assert sorted(bool(wait) for wait in waits) == [False] * 3 + [True] * 9


@pytest.mark.once
def test_with_time_one_may_try_again(app: Flask) -> None:
    with simulated_time(datetime(2026, 3, 27, 12, tzinfo=UTC)) as time:
        account, address = of_account("ana@example.org"), of_address("192.0.2.1")
        assert [take([account]) for _ in range(MOST + 1)] == [0] * MOST + [90]
        assert take([address]) == 0
        time.forward(seconds=89)
        assert take([account]) == 1
        time.forward(seconds=1)
        assert [take([account]), take([account])] == [0, 90]
        time.forward(minutes=15)
        assert [take([account]) for _ in range(MOST + 1)] == [0] * MOST + [90]


@pytest.mark.once
def test_a_right_password_counts_for_nothing(app: Flask, client: FlaskClient, team: Team) -> None:
    for _ in range(MOST + 5):
        assert sign_in(app.test_client(), team.email).status_code == 303
    assert guess(client, team.email, "127.0.0.1") == 422


def test_who_guesses_elsewhere_locks_nobody_out(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    """Nor does it behind the same address, as where a proxy is not told of."""
    own = app.test_client()
    sign_in(own, team.email)
    send_form(own, "/account", "/sign-out")
    for _ in range(MOST):
        guess(client, team.email, "127.0.0.1")
    stranger = app.test_client()
    assert sign_in(stranger, team.email).status_code == 429
    assert sign_in(own, team.email).status_code == 303


@pytest.mark.once
def test_a_known_browser_has_to_wait_as_well(app: Flask, team: Team) -> None:
    own = app.test_client()
    sign_in(own, team.email)
    send_form(own, "/account", "/sign-out")
    tried = [guess(own, team.email, f"198.51.100.{number}") for number in range(MOST + 1)]
    assert tried == [422] * MOST + [429]
    assert sign_in(app.test_client(), team.email).status_code == 303


@pytest.mark.once
def test_a_browser_is_known_for_its_own_people_alone_and_not_by_a_forged_cookie(
    app: Flask, team: Team
) -> None:
    own = app.test_client()
    cookie = next(
        each for each in sign_in(own, team.email).headers.getlist("Set-Cookie") if NAME in each
    )
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=34560000" in cookie
    assert team.email not in cookie
    send_form(own, "/account", "/sign-out")
    assert [guess(own, "bob@example.org", f"198.51.100.{n}") for n in range(MOST)] == [422] * MOST
    assert guess(app.test_client(), "bob@example.org", "203.0.113.1") == 429
    value = getattr(own.get_cookie(NAME), "value", "")
    for forged in ("", "x", value[:-2] + "xx", "WyJhIiwxXQ.x"):
        client = app.test_client()
        client.set_cookie(NAME, forged)
        assert guess(client, "bob@example.org", "203.0.113.2") == 429


@pytest.mark.once
def test_on_https_the_cookie_is_the_hosts_own(make_app: Callable[..., Flask], team: Team) -> None:
    own = make_app(FLOWPULSE_TRUSTED_PROXIES=1).test_client()
    headers = {"X-Forwarded-Proto": "https", "Referer": "https://localhost/sign-in"}
    page = Page(own.get("/sign-in", headers=headers).text)
    fields = {**page.form("/sign-in").fields, "email": team.email, "password": PASSWORD}
    answer = own.post("/sign-in", data=fields, headers=headers, base_url="https://localhost")
    found = [each for each in answer.headers.getlist("Set-Cookie") if NAME in each]
    assert answer.status_code == 303 and len(found) == 1
    assert found[0].startswith(f"__Host-{NAME}=") and "Secure" in found[0] and "Path=/" in found[0]


@pytest.mark.once
def test_forged_headers_make_no_new_addresses(
    make_app: Callable[..., Flask], client: FlaskClient, team: Team
) -> None:
    for number in range(MOST + 1):
        forged = {
            "X-Forwarded-For": f"198.51.100.{number}",
            "X-Real-IP": f"198.51.100.{number}",
            "Forwarded": f"for=198.51.100.{number}",
        }
        status = guess(client, f"{number}@example.org", "192.0.2.9", headers=forged)
        assert status == (422 if number < MOST else 429)
    behind = make_app(FLOWPULSE_TRUSTED_PROXIES=1).test_client()
    for number in range(MOST + 1):  # The last hop is the proxy's own; what stands before is not.
        forged = {"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.77"}
        status = guess(behind, f"b{number}@example.org", "10.0.0.1", headers=forged)
        assert status == (422 if number < MOST else 429)
    other = {"X-Forwarded-For": "192.0.2.78"}
    assert guess(behind, "c@example.org", "10.0.0.1", headers=other) == 422


@pytest.mark.once
def test_a_network_of_ipv6_is_one_address(app: Flask) -> None:
    assert of_address("2001:db8::1") == of_address("2001:db8::ffff:2")
    assert of_address("2001:db8::1") != of_address("2001:db8:0:1::1")
    assert of_address("::ffff:192.0.2.1") == of_address("192.0.2.1")


@pytest.mark.once
def test_the_limit_can_be_off(make_app: Callable[..., Flask], team: Team) -> None:
    client = make_app(FLOWPULSE_FAILED_SIGN_IN_LIMIT=0).test_client()
    assert {guess(client, team.email) for _ in range(MOST + 2)} == {422}


@pytest.mark.once
def test_an_unknown_person_costs_the_same_work(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the first one of a process."""
    hasher, done = passwords._HASHER, []

    class Counting:
        def hash(self, password: str) -> str:
            done.append("hash")
            return hasher.hash(password)

        def verify(self, password_hash: str, password: str) -> bool:
            done.append("verify")
            return hasher.verify(password_hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting())
    work, texts = [], []
    for email in ("nobody@example.org", team.email, "nobody@example.org"):
        passwords._nobodys_hash.cache_clear()
        done.clear()
        answer = send_form(client, "/sign-in", email=email, password=PASSWORD[:-1])
        work.append(list(done))
        texts.append((answer.status_code, Page(answer.text).text))
    assert work == [["hash", "verify"]] * 3
    assert len(set(texts)) == 1


def test_no_connection_is_held_while_a_password_is_hashed(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few hashes are worked out at once: those that queue would hold the pool's connections."""
    hasher, held = passwords._HASHER, []

    class Watching:
        def hash(self, password: str) -> str:
            return hasher.hash(password)

        def verify(self, password_hash: str, password: str) -> bool:
            held.append(db.session().in_transaction())
            return hasher.verify(password_hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Watching())
    for email in ("nobody@example.org", team.email):
        send_form(client, "/sign-in", email=email, password=PASSWORD)
    assert held == [False, False]

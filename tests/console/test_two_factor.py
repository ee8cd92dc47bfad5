"""The second factor: on, off, codes that count once, recovery codes, and those locked out."""

import re
from base64 import b32decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import timestamp
from app.console.session_cookie import NAME
from app.extensions import db, writing
from app.models import RecoveryCode, User, UserSession
from app.workspaces.mistakes import RefusedError
from app.workspaces.two_factor import (
    count_codes,
    is_on,
    make_offer,
    turn_on,
    use_code,
    use_recovery_code,
)
from tests.console.pages import Page, open_page, send_form, sign_in, submit
from tests.factories import PASSWORD, Team
from tests.sessions import make_client
from tests.simulated_time import simulated_time

CODE_PATH = "/sign-in/code"
OFFER_PATH = "/account/two-factor"


def code_of(secret: str, steps: int = 0) -> str:
    """What an app shows so many half minutes from now; it is told the secret as text."""
    key = b32decode(secret.replace(" ", ""))
    return TOTP(key, 6, SHA1(), 30).generate(int(timestamp()) + 30 * steps).decode()  # noqa: S303


def offered_key(page: Page) -> str:
    """What the page tells the app."""
    found = re.search(r"((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})", page.text)
    assert found
    return found[1]


def person(email: str) -> User:
    db.session.rollback()
    return db.session.scalars(select(User).where(User.email == email)).one()


def forget_step() -> None:
    """As if the last code had been used long ago."""
    with writing() as session:
        session.execute(update(User).values(totp_step=None))


def switch_on(email: str) -> tuple[str, list[str]]:
    """The secret, and the recovery codes, of a person who has turned it on before."""
    offer = make_offer(person(email))
    codes = turn_on(person(email), offer.sealed, code_of(offer.secret), "").codes
    forget_step()
    own = update(UserSession).where(UserSession.user_id == person(email).id)
    with writing() as session:  # Whoever is signed in has done it since.
        session.execute(own.values(end_reason=None))
    return offer.secret, codes


def first_step(client: FlaskClient, email: str, **more: str) -> Page:
    answer = sign_in(client, email, **more)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def second_step(client: FlaskClient, page: Page, **fields: str) -> tuple[int, str]:
    """Status, and the page's text or where it leads."""
    answer = submit(client, page.form(CODE_PATH), **fields)
    return answer.status_code, answer.location or Page(answer.text).text


# --- on and off ----------------------------------------------------------------------------------


def test_it_is_turned_on_with_a_code_and_shows_the_recovery_codes_once(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    page = open_page(owner, OFFER_PATH)
    key = offered_key(page)
    assert any(tag == "svg" for tag, _ in page.tags)
    wrong = send_form(owner, OFFER_PATH, code="12 34")
    assert wrong.status_code == 422 and "Enter the 6 digits" in wrong.text
    page = Page(submit(owner, page.form(OFFER_PATH), code="000000").text)
    assert page.has_id("field-code-error") and key in page.text
    assert not is_on(person(team.email))
    shown = submit(owner, page.form(OFFER_PATH), code=code_of(key))
    codes = re.findall(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", shown.text)
    assert len(set(codes)) == 10 and is_on(person(team.email))
    account = open_page(owner, "/account").text
    assert "10 of 10 recovery codes" in account and codes[0] not in account
    kept = db.session.scalars(select(RecoveryCode.code_hash)).all()
    held = f"{kept} {person(team.email).totp_sealed}".lower()
    assert key.replace(" ", "").lower() not in held
    assert not any(code in held or code.replace("-", "") in held for code in codes)
    assert owner.get(OFFER_PATH).location == "/account#two-factor"


def test_turning_it_on_ends_all_other_sessions(app: Flask, owner: FlaskClient, team: Team) -> None:
    """They were opened by the password alone: by whoever had it."""
    thief = make_client(app, team.email)
    page = open_page(owner, OFFER_PATH)
    assert "All other sessions end" in page.text
    submit(owner, page.form(OFFER_PATH), code="000000")
    assert thief.get("/account").status_code == 200
    answer = submit(owner, page.form(OFFER_PATH), code=code_of(offered_key(page)))
    assert "All other sessions have ended" in Page(answer.text).text
    assert thief.get("/account").status_code == 302
    assert owner.get("/account").status_code == 200
    assert "turned on in another browser" in open_page(thief, "/sign-in").text


@pytest.mark.once
def test_an_offer_is_for_one_person(
    app: Flask, owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    colleague("admin")
    offer = make_offer(person("admin@example.org"))
    with pytest.raises(RefusedError, match="out of date"):
        turn_on(person(team.email), offer.sealed, code_of(offer.secret), "")
    form = open_page(owner, OFFER_PATH).form(OFFER_PATH)
    answer = submit(owner, form, offer="forged", code="123456")
    assert answer.status_code == 422 and "out of date" in answer.text


def test_it_is_turned_off_with_the_password(owner: FlaskClient, team: Team) -> None:
    switch_on(team.email)
    path = f"{OFFER_PATH}/off"
    answer = send_form(owner, "/account", path, two_factor_password="wrong")
    assert answer.status_code == 422 and is_on(person(team.email))
    assert 'id="field-two_factor_password-error"' in answer.text
    answer = send_form(owner, "/account", path, two_factor_password=PASSWORD)
    assert answer.status_code == 303 and not is_on(person(team.email))
    assert count_codes(person(team.email)) == 0
    assert "Two-factor sign-in is off." in open_page(owner, "/account").text


@pytest.mark.once
def test_new_recovery_codes_replace_the_old_ones(owner: FlaskClient, team: Team) -> None:
    _, codes = switch_on(team.email)
    answer = send_form(owner, "/account", f"{OFFER_PATH}/codes")
    assert answer.status_code == 200 and count_codes(person(team.email)) == 10
    with pytest.raises(RefusedError):
        use_recovery_code(person(team.email), codes[0])
    new = re.findall(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", answer.text)
    assert use_recovery_code(person(team.email), new[0].upper().replace("-", " ")) == 9


@pytest.mark.once
def test_whoever_found_the_session_open_turns_nothing_on(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.execute(update(UserSession).values(password_at=None))
    assert "Your password again" in open_page(owner, OFFER_PATH, 403).text
    switch_on(team.email)
    answer = send_form(owner, "/account", f"{OFFER_PATH}/codes")
    assert answer.status_code == 403


# --- signing in ----------------------------------------------------------------------------------


def test_signing_in_takes_a_second_step(client: FlaskClient, team: Team) -> None:
    secret, _ = switch_on(team.email)
    page = first_step(client, team.email, next="/events?state=rejected")
    assert client.get("/events").status_code == 302
    assert db.session.scalars(select(UserSession)).all() == []
    status, text = second_step(client, page, code="000000")
    assert status == 422 and "not the code of now" in text
    page = open_page(client, CODE_PATH + "?next=/events?state=rejected")
    assert second_step(client, page, code=code_of(secret)) == (303, "/events?state=rejected")
    assert client.get("/events").status_code == 200


@pytest.mark.once
def test_a_form_that_was_typed_outlives_both_steps(owner: FlaskClient, team: Team) -> None:
    secret, _ = switch_on(team.email)
    form = open_page(owner, "/workflows").form("/workflows")
    with writing() as session:
        session.query(UserSession).delete()
    page = Page(submit(owner, form, name="Typed before").text)
    page = Page(submit(owner, page.form("/sign-in"), email=team.email, password=PASSWORD).text)
    answer = submit(owner, page.form(CODE_PATH), code=code_of(secret))
    assert answer.status_code == 200 and "Typed before" in answer.text


def test_each_code_counts_once_also_at_the_same_moment(app: Flask, team: Team) -> None:
    """Twenty at once, as from several processes: the database decides."""
    secret, codes = switch_on(team.email)
    code = code_of(secret)

    def act(number: int) -> bool:
        with app.app_context():
            user = person(team.email)
            try:
                use_code(user, code) if number % 2 else use_recovery_code(user, codes[0])
            except RefusedError:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(act, range(20)))
    assert (sum(taken[::2]), sum(taken[1::2])) == (1, 1)
    assert count_codes(person(team.email)) == 9
    with pytest.raises(RefusedError, match="used already"):
        use_code(person(team.email), code)


@pytest.mark.once
def test_a_clock_may_be_off_by_half_a_minute(app: Flask, team: Team) -> None:
    secret, _ = switch_on(team.email)
    with simulated_time(datetime(2026, 3, 27, 12, 0, 1, tzinfo=UTC)):
        for steps in (-1, 0, 1):
            use_code(person(team.email), code_of(secret, steps))
        for steps in (-2, 2):
            forget_step()
            with pytest.raises(RefusedError, match="not the code of now"):
                use_code(person(team.email), code_of(secret, steps))


@pytest.mark.once
def test_an_older_code_does_not_follow_a_newer_one(app: Flask, team: Team) -> None:
    secret, _ = switch_on(team.email)
    use_code(person(team.email), code_of(secret, 1))
    with pytest.raises(RefusedError, match="used already"):
        use_code(person(team.email), code_of(secret))


@pytest.mark.once
def test_a_recovery_code_signs_in_once_and_says_how_many_are_left(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    _, codes = switch_on(team.email)
    page = first_step(client, team.email)
    assert second_step(client, page, recovery_code=codes[3].upper()) == (303, "/")
    assert "9 recovery codes left" in open_page(client, "/account").text
    other = app.test_client()
    status, text = second_step(other, first_step(other, team.email), recovery_code=codes[3])
    assert status == 422 and "none of your recovery codes" in text


@pytest.mark.once
def test_who_guesses_codes_has_to_wait_and_locks_nobody_out(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    own = app.test_client()
    secret, codes = switch_on(team.email)
    second_step(own, first_step(own, team.email), code=code_of(secret))
    send_form(own, "/account", "/sign-out")
    forget_step()
    page = first_step(client, team.email)
    tried = [second_step(client, page, code="000000")[0] for _ in range(11)]
    assert tried == [422] * 10 + [429]
    assert second_step(client, page, recovery_code=codes[0])[0] == 429
    assert second_step(own, first_step(own, team.email), code=code_of(secret))[0] == 303


@pytest.mark.once
def test_who_has_the_password_and_guesses_codes_for_days_gets_few_tries(
    make_app: Callable[..., Flask], team: Team
) -> None:
    """With a limit of one, three a day, and three at once at the beginning."""
    app = make_app(FLOWPULSE_FAILED_SIGN_IN_LIMIT=1)
    own, stranger, tried = app.test_client(), app.test_client(), list[int]()
    stranger.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    secret, _ = switch_on(team.email)
    with simulated_time(datetime.now(UTC)) as time:
        assert second_step(own, first_step(own, team.email), code=code_of(secret))[0] == 303
        send_form(own, "/account", "/sign-out")
        for _ in range(24):
            time.forward(hours=1)
            page = first_step(stranger, team.email)
            tried.append(second_step(stranger, page, code="000000")[0])
        assert tried.count(422) == 5 and tried[:4] == [422, 422, 422, 429]
        time.forward(minutes=1)
        assert second_step(own, first_step(own, team.email), code=code_of(secret))[0] == 303


@pytest.mark.once
def test_the_first_step_is_good_for_ten_minutes_one_password_and_nobody_else(
    app: Flask, client: FlaskClient, team: Team
) -> None:
    secret, _ = switch_on(team.email)
    assert open_page(app.test_client(), "/sign-in").form("/sign-in")
    assert app.test_client().get(CODE_PATH).location == "/sign-in"
    page = first_step(client, team.email)
    with simulated_time(datetime.now(UTC) + timedelta(minutes=11)):
        status, text = second_step(client, page, code=code_of(secret))
        assert status == 422 and "too long ago" in text
    with writing() as session:
        session.execute(update(User).values(password_hash="another"))
    status, text = second_step(client, page, code=code_of(secret))
    assert status == 422 and "too long ago" in text
    forged = app.test_client()
    forged.set_cookie(NAME, "eyJoYWxmX3NpZ25lZF9pbiI6WyJhIiwxLCJiIl19.aaaaaa.bbbbbb")
    assert forged.get(CODE_PATH).status_code == 302


@pytest.mark.once
def test_under_another_secret_key_recovery_codes_still_work(app: Flask, team: Team) -> None:
    _, codes = switch_on(team.email)
    app.config["FLOWPULSE_KEY_SECRET"] = b"quite another secret key of the server"
    with pytest.raises(RefusedError, match="reset-two-factor"):
        use_code(person(team.email), "123456")
    assert use_recovery_code(person(team.email), codes[0]) == 9

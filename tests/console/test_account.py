"""One's own account: profile, password, sessions, time zone, theme."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.console.account import zone_choices
from app.console.devices import describe_device, device_icon
from app.console.session_cookie import NAME
from app.extensions import db, writing
from app.models import User, UserSession
from app.workspaces import profile
from tests.console.pages import open_page, send_form, sign_in
from tests.factories import PASSWORD, Team, report
from tests.sessions import make_client

NEW = "quite another long password"


def user_of(email: str) -> User:
    db.session.rollback()
    found = db.session.scalar(select(User).where(User.email == email))
    assert found is not None
    return found


def test_the_name_is_saved_without_the_password_and_shown_in_the_bar(
    owner: FlaskClient, team: Team
) -> None:
    answer = send_form(owner, "/account", "/account/profile", name="  Ana   Lima ")
    assert (answer.status_code, answer.location) == (303, "/account")
    page = open_page(owner, "/account")
    assert "Your profile is saved." in page.text
    assert any(values.get("aria-label") == "Account: Ana Lima" for _, values in page.tags)
    assert user_of(team.email).name == "Ana Lima"


@pytest.mark.parametrize("name", ["x" * 121, "A\x00na", "A\u202ena", "A\x1bna"])
def test_a_name_that_hides_something_is_refused_at_its_field(owner: FlaskClient, name: str) -> None:
    answer = send_form(owner, "/account", "/account/profile", name=name)
    assert answer.status_code == 422
    assert 'id="field-name-error"' in answer.text


def test_another_address_needs_the_password(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/account", "/account/profile", email="new@example.org")
    assert answer.status_code == 422 and 'id="field-password-error"' in answer.text
    answer = send_form(
        owner, "/account", "/account/profile", email="New@example.org ", password=PASSWORD
    )
    assert answer.status_code == 303
    assert user_of("new@example.org").id


def test_the_address_of_somebody_else_is_refused(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    colleague("member")
    answer = send_form(
        owner, "/account", "/account/profile", email="member@example.org", password=PASSWORD
    )
    assert answer.status_code == 422 and "Another user has this address." in answer.text


def test_who_has_an_account_is_told_with_the_password_alone_and_not_without_end(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    colleague("member")
    refusals = {"": "Enter your password.", "wrong": "This is not your password."}
    for email in ("member@example.org", "nobody@example.org"):
        for password, refusal in refusals.items():
            values = {"email": email, "password": password}
            answer = send_form(owner, "/account", "/account/profile", **values)
            assert answer.status_code == 422 and refusal in answer.text
            assert "Another user has this address." not in answer.text
    values = {"email": "member@example.org", "password": PASSWORD}
    for _ in range(8):  # Two tries went for the wrong passwords.
        answer = send_form(owner, "/account", "/account/profile", **values)
        assert "Another user has this address." in answer.text
    answer = send_form(owner, "/account", "/account/profile", **values)
    assert "Too many wrong passwords." in answer.text


def test_a_new_password_ends_all_other_sessions(app: Flask, owner: FlaskClient, team: Team) -> None:
    other = app.test_client()
    sign_in(other, team.email)
    values = {"old_password": PASSWORD, "new_password": NEW}
    answer = send_form(owner, "/account", "/account/password", **values)
    assert answer.status_code == 303
    assert owner.get("/account").status_code == 200
    assert other.get("/account").status_code == 302
    assert "changed in another browser" in open_page(other, "/sign-in").text
    fresh = app.test_client()
    assert sign_in(fresh, team.email).status_code == 422
    form = open_page(fresh, "/sign-in").form("/sign-in")
    data = {**form.fields, "email": team.email, "password": NEW}
    assert fresh.post("/sign-in", data=data).status_code == 303


def test_a_new_password_gives_the_session_another_token(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    thief = app.test_client()
    thief.set_cookie(NAME, getattr(owner.get_cookie(NAME), "value", ""))
    assert thief.get("/account").status_code == 200
    values = {"old_password": PASSWORD, "new_password": NEW}
    assert send_form(owner, "/account", "/account/password", **values).status_code == 303
    assert thief.get("/account").status_code == 302
    assert "All other sessions have ended." in open_page(owner, "/account").text
    assert db.session.scalars(select(UserSession)).one().end_reason is None


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wrong", NEW, "old_password"),
        (PASSWORD, "short", "new_password"),
        ("", NEW, "old_password"),
    ],
)
def test_a_password_is_not_changed_with_a_wrong_or_weak_one(
    owner: FlaskClient, team: Team, old: str, new: str, field: str
) -> None:
    before = user_of(team.email).password_hash
    values = {"old_password": old, "new_password": new}
    answer = send_form(owner, "/account", "/account/password", **values)
    assert answer.status_code == 422 and f'id="field-{field}-error"' in answer.text
    assert user_of(team.email).password_hash == before
    assert new not in answer.text


def test_whoever_guesses_the_password_has_to_wait_and_holds_up_nobody_else(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    values = {"old_password": "guess", "new_password": NEW}
    for _ in range(10):
        answer = send_form(owner, "/account", "/account/password", **values)
        assert "This is not your password." in answer.text
    values = {"old_password": PASSWORD, "new_password": NEW}
    answer = send_form(owner, "/account", "/account/password", **values)
    assert answer.status_code == 422
    assert re.search(r"Too many wrong passwords. Wait [1-9]\d? s", answer.text)
    assert send_form(owner, "/account", "/account/profile", name="Ana").status_code == 303
    elsewhere = make_client(app, team.email)
    answer = send_form(elsewhere, "/account", "/account/password", **values)
    assert answer.status_code == 303


def test_a_new_password_is_none_that_others_guess(owner: FlaskClient, team: Team) -> None:
    for new in ("Password2026!", f"{team.email}", "Team-FlowPulse-1"):
        values = {"old_password": PASSWORD, "new_password": new}
        answer = send_form(owner, "/account", "/account/password", **values)
        assert answer.status_code == 422 and 'id="field-new_password-error"' in answer.text, new


def test_each_session_is_listed_and_can_be_ended(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    phone = app.test_client()
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
    form = open_page(phone, "/sign-in").form("/sign-in")
    data = {**form.fields, "email": team.email, "password": PASSWORD}
    phone.post("/sign-in", data=data, headers={"User-Agent": agent})
    page = open_page(owner, "/account")
    assert "Safari on iPhone" in page.text and "This one" in page.text
    assert send_form(owner, "/account", "/account/sessions/end").status_code == 303
    assert phone.get("/account").status_code == 302
    assert owner.get("/account").status_code == 200
    assert "You are signed in nowhere else." in open_page(owner, "/account").text


def test_all_other_sessions_end_at_once(app: Flask, owner: FlaskClient, team: Team) -> None:
    others = [app.test_client() for _ in range(2)]
    for other in others:
        sign_in(other, team.email)
    assert send_form(owner, "/account", "/account/sessions/end-others").status_code == 303
    assert "2 other sessions ended." in open_page(owner, "/account").text
    assert [other.get("/account").status_code for other in others] == [302, 302]
    assert "ended from another browser" in open_page(others[0], "/sign-in").text
    assert "You are signed in nowhere else." in open_page(owner, "/account").text


def test_a_hundred_and_fifty_sessions_are_a_light_page(owner: FlaskClient, team: Team) -> None:
    user_id = user_of(team.email).id
    with writing() as session:
        session.add_all(
            UserSession(
                user_id=user_id,
                token_hash=f"{n}",
                expires_at=now() + timedelta(days=1),
                remote_addr="2001:db8:" * 6,
                user_agent=f"{n:03}" + "<" * 250,
            )
            for n in range(150)
        )
    seen: set[str] = set()
    for number in range(1, 10):
        answer = owner.get(f"/account?sessions={number}")
        assert len(answer.data) < 100_000
        seen |= set(re.findall(r"(\d{3})&lt;&lt;", answer.text))
    assert len(seen) == 150
    page = open_page(owner, "/account")
    assert "This one" in page.text and "Page 1 of 8" in page.text
    assert "End 150 sessions" in str(page.tags)


def test_nobody_ends_a_strangers_session(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    viewer = colleague("viewer")
    theirs = db.session.scalar(select(UserSession.id).order_by(UserSession.id.desc()).limit(1))
    token = open_page(owner, "/account").form("/account/theme").fields["csrf_token"]
    for session in (str(theirs), "", "x", "9" * 30, "²"):
        data = {"csrf_token": token, "session": session}
        assert owner.post("/account/sessions/end", data=data).status_code == 303
    assert viewer.get("/account").status_code == 200


def test_a_viewer_has_an_account_too(colleague: Callable[[str], FlaskClient]) -> None:
    viewer = colleague("viewer")
    assert send_form(viewer, "/account", "/account/profile", name="Vic").status_code == 303


def test_times_follow_the_chosen_zone_and_without_one_the_browser(
    owner: FlaskClient, client: FlaskClient, team: Team
) -> None:
    event_id = report(client, team, ended_at="2026-07-01T22:30:00Z").json["event_id"]
    page = owner.get(f"/events/{event_id}").text
    assert "data-time-zone" not in page and " UTC</time>" in page
    answer = send_form(owner, "/account", "/account/time-zone", time_zone="Asia/Tokyo")
    assert answer.status_code == 303
    assert "Times are told in Asia/Tokyo." in open_page(owner, "/account").text
    page = owner.get(f"/events/{event_id}").text
    assert 'data-time-zone="Asia/Tokyo"' in page and " JST · " in page
    send_form(owner, "/account", "/account/time-zone", time_zone="")
    assert "data-time-zone" not in owner.get(f"/events/{event_id}").text


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "a\0b", "Europe"])
def test_a_zone_that_is_none_is_refused(owner: FlaskClient, team: Team, zone: str) -> None:
    answer = send_form(owner, "/account", "/account/time-zone", time_zone=zone)
    assert answer.status_code == 422 and "Choose a time zone from the list." in answer.text
    assert user_of(team.email).time_zone is None


def test_a_zone_that_the_machine_has_forgotten_counts_as_none(
    owner: FlaskClient, team: Team
) -> None:
    user = user_of(team.email)
    with writing():
        user.time_zone = "Europe/Atlantis"
    assert "data-time-zone" not in owner.get("/account").text


def test_the_zones_are_grouped_and_told_with_the_time_there(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.account.now", lambda: datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
    zones = zone_choices()
    assert ("Europe/Berlin", "Berlin (14:00 CEST)") in zones["Europe"]
    assert ("America/Argentina/Salta", "Argentina / Salta (09:00 UTC-3)") in zones["America"]
    assert next(iter(zones)) == "World"
    assert all(profile.is_time_zone(name) for each in zones.values() for name, _ in each)


def test_the_page_with_all_zones_stays_small(owner: FlaskClient) -> None:
    assert len(owner.get("/account").data) < 100_000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_stands_in_the_first_line_of_each_page(owner: FlaskClient, theme: str) -> None:
    assert 'data-theme="system"' in owner.get("/account").text
    assert send_form(owner, "/account", "/account/theme", theme=theme).status_code == 303
    for path in ("/account", "/events", "/troubleshooting"):
        assert f'<html lang="en" data-theme="{theme}" class="{theme}">' in owner.get(path).text


def test_the_menus_switch_saves_without_a_page(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/account", "/account/theme", theme="dark", quick="1")
    assert (answer.status_code, answer.data) == (204, b"")
    assert user_of(team.email).theme == "dark"
    answer = send_form(owner, "/account", "/account/theme", theme="pink", quick="1")
    assert answer.status_code == 422


def test_who_is_not_signed_in_has_the_browsers_theme(client: FlaskClient, team: Team) -> None:
    assert "data-theme" not in client.get("/sign-in").text.partition("<head>")[0]


@pytest.mark.parametrize(
    ("user_agent", "words", "icon"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0 Safari/537.36 Edg/130.0",
            "Edge on Windows",
            "laptop",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Firefox/132.0", "Firefox on Linux", "laptop"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) Version/18.0 Safari/605.1.15",
            "Safari on Mac",
            "laptop",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) Chrome/130.0 Mobile Safari/537.36",
            "Chrome on Android",
            "smartphone",
        ),
        ("curl/8.5.0", "curl", "laptop"),
        ("<script>", "Unknown browser", "laptop"),
        (None, "Unknown browser", "laptop"),
    ],
)
def test_a_browser_is_told_in_words(user_agent: str | None, words: str, icon: str) -> None:
    assert (describe_device(user_agent), device_icon(user_agent)) == (words, icon)


def test_an_answer_to_htmx_brings_the_message_in_a_header(owner: FlaskClient, app: Flask) -> None:
    """A whole page carries it itself; a redirect leaves it to the page that it leads to."""
    answer = send_form(owner, "/account", "/account/profile", name="Ünal <b>")
    assert "HX-Trigger" not in answer.headers
    answer = owner.get("/account", headers={"HX-Request": "true"})
    assert answer.headers["HX-Trigger"] == (
        '{"toast": {"target": "#toasts", "toasts": '
        '[{"category": "success", "text": "Your profile is saved."}]}}'
    )
    assert "Your profile is saved." not in answer.text
    assert "HX-Trigger" not in owner.get("/account", headers={"HX-Request": "true"}).headers


def test_the_weekly_digest_is_wanted_and_no_more(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/account")
    assert "FLOWPULSE_SMTP_HOST" in page.text
    assert "digest" not in page.form("/account/digest").fields
    for wanted in (["1"], []):
        answer = send_form(owner, "/account", "/account/digest", digest=wanted)
        assert answer.status_code == 303
        fields = open_page(owner, "/account").form("/account/digest").fields
        assert fields.get("digest", []) == wanted

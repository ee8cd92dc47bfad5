"""Signing in by a provider: a real one, run by node, and every refusal."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.config import ConfigurationError
from app.doctor.sign_in_health import check_sign_in_provider, check_who_comes
from app.extensions import db, writing
from app.models import (
    NO_PASSWORD,
    AuditEntry,
    Identity,
    Membership,
    User,
    UserSession,
    Workspace,
)
from app.oidc import find_provider
from app.workspaces.invitations import invite
from app.workspaces.people import create_user
from app.workspaces.rescue import find_person, reset_password, unlink
from app.workspaces.two_factor import count_codes, is_on
from tests import apps
from tests.console.pages import Page, open_page, send_form, sign_in, submit
from tests.console.test_two_factor import switch_on
from tests.factories import PASSWORD, Team
from tests.ports import free_port
from tests.provider.running import CLIENT_ID, CLIENT_SECRET, Person, find_path, running

BACK = "http://localhost/sign-in/oidc/callback"
NAME = "Team ID"
SET = {
    "FLOWPULSE_PUBLIC_URL": "http://localhost",
    "FLOWPULSE_OIDC_CLIENT_ID": CLIENT_ID,
    "FLOWPULSE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
    "FLOWPULSE_OIDC_NAME": NAME,
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running(BACK) as issuer:
        yield issuer


@pytest.fixture
def app(make_app: Callable[..., Flask], issuer: str) -> Iterator[Flask]:
    app = make_app(**SET, FLOWPULSE_OIDC_ISSUER=issuer)
    with app.app_context():
        yield app
        db.session.remove()


def leave(client: FlaskClient, path: str = "/sign-in/oidc") -> str:
    """The address at the provider that a link leads to."""
    answer = client.get(path)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def enter(client: FlaskClient, login: str, path: str = "/sign-in/oidc") -> Any:
    """Through the provider and back, in a browser that is new to it."""
    return client.get(find_path(Person(login).come_back(leave(client, path), BACK)))


def make_invitation(team: Team, email: str, role: str = "member") -> str:
    """Returns its token."""
    query = select(Membership).join(Membership.user).where(User.email == team.email)
    _, token = invite(db.session.scalars(query).one(), email, role)
    return token


def roles_of(email: str) -> list[str]:
    db.session.rollback()
    query = select(Membership.role).join(Membership.user).where(User.email == email)
    return list(db.session.scalars(query))


def refusals() -> list[tuple[str | None, str]]:
    db.session.rollback()
    query = select(AuditEntry).where(AuditEntry.what == "sign_in_refused").order_by(AuditEntry.id)
    return [(each.about, (each.details or {})["step"]) for each in db.session.scalars(query)]


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def test_from_the_button_through_the_provider_into_the_console(
    client: FlaskClient, team: Team, issuer: str
) -> None:
    page = open_page(client, client.get("/events?state=rejected").location)
    assert f"Sign in with {NAME}" in page.text
    (button,) = [link for link in page.links if link.startswith("/sign-in/oidc")]
    url = leave(client, button)
    for part in ("code_challenge_method=S256", "state=", "nonce=", "response_type=code"):
        assert part in url
    assert CLIENT_SECRET not in url
    back = Person(team.email).come_back(url, BACK)
    answer = client.get(find_path(back))
    assert (answer.status_code, answer.location) == (303, "/events?state=rejected")
    account = open_page(client, "/account")
    assert "Linked since" in account.text and f"to {team.email} at {issuer}" in account.text
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(each.what, each.who, each.details) for each in entries[-2:]] == [
        (
            "provider_linked",
            team.email,
            {"provider": NAME, "taken away": "password, sessions"},
        ),
        ("signed_in", team.email, {"by": NAME}),
    ]
    assert client.get(find_path(back)).status_code == 400, "A way back counts once"


def test_who_is_invited_gets_an_account_without_a_password(client: FlaskClient, team: Team) -> None:
    token = make_invitation(team, "bo@example.org", "admin")
    page = open_page(client, f"/invitation/{token}")
    assert f"Sign in with {NAME}" in page.text
    assert enter(client, "Bo@Example.org").status_code == 303
    person = find_person("bo@example.org")
    assert (person.password_hash, person.name) == (NO_PASSWORD, "Ana At Provider")
    assert roles_of("bo@example.org") == ["admin"]
    assert client.get(f"/invitation/{token}").status_code == 410
    for password in (NO_PASSWORD, "", "the password of an account that does not exist"):
        answer = send_form(app_of(client), "/sign-in", email="bo@example.org", password=password)
        assert answer.status_code == 422
    account = open_page(client, "/account")
    assert not account.has_id("field-old_password")
    answer = send_form(client, "/account", "/account/profile", name="Bo", email="bo@example.com")
    assert answer.status_code == 422 and "has no password" in answer.text


def app_of(client: FlaskClient) -> FlaskClient:
    """Another browser."""
    return client.application.test_client()


@pytest.mark.once
def test_who_made_the_account_before_its_owner_came_has_nothing_of_it_then(
    client: FlaskClient, team: Team
) -> None:
    """An admin can open the invitation's link, and choose the password."""
    token = make_invitation(team, "ceo@example.org")
    other = app_of(client)
    assert send_form(other, f"/invitation/{token}", password=PASSWORD).status_code == 303
    _, codes = switch_on("ceo@example.org")
    half = app_of(client)
    assert sign_in(half, "ceo@example.org").status_code == 200
    assert is_signed_in(other)
    assert enter(client, "ceo@example.org").status_code == 303
    assert not is_signed_in(other)
    assert "is the sign-in provider's now" in open_page(other, "/sign-in").text
    assert sign_in(app_of(client), "ceo@example.org").status_code == 422
    assert half.get("/sign-in/code").status_code == 302, "The first step counts no more"
    person = find_person("ceo@example.org")
    assert not person.has_password and not is_on(person) and codes
    assert count_codes(person) == 0
    told = open_page(client, "/account").text
    assert "What opened it before is over: password, second factor, sessions." in told
    assert enter(app_of(client), "ceo@example.org").status_code == 303
    assert is_signed_in(client), "Only the first time"
    reset_password("ceo@example.org", PASSWORD)
    assert enter(app_of(client), "ceo@example.org").status_code == 303
    assert find_person("ceo@example.org").has_password, "It is the owner's own by now"


@pytest.mark.once
def test_an_account_stays_with_whom_it_was_linked_to(client: FlaskClient, team: Team) -> None:
    assert enter(client, f"{team.email}#7").status_code == 303
    assert enter(app_of(client), "ana.new@example.org#7").status_code == 303, "Her new address"
    other = app_of(client)
    answer = enter(other, f"{team.email}#8")
    assert answer.status_code == 403 and "linked to somebody else" in answer.text
    assert not is_signed_in(other)
    assert refusals() == [(team.email, f"{NAME}: The account is linked to somebody else there")]
    unlink(team.email)
    assert not is_signed_in(client), "All sessions end"
    assert enter(other, f"{team.email}#8").status_code == 303
    assert list(db.session.scalars(select(Identity.subject))) == ["8"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("stranger@example.org", "neither an account nor an open invitation"),
        ("ana+unverified@example.org", "and not that it was checked"),
        ("an\N{KELVIN SIGN}@example.org", "names no e-mail address"),
    ],
)
def test_who_is_unknown_or_not_vouched_for_stays_out(
    client: FlaskClient, team: Team, login: str, words: str
) -> None:
    there = login.lower() if "+" in login else "ank@example.org"
    with writing() as session:
        session.execute(update(User).values(email=there))
    answer = enter(client, login)
    assert answer.status_code == 403 and words in Page(answer.text).text
    assert not is_signed_in(client)
    assert [step for _, step in refusals()] and list(db.session.scalars(select(Identity.id))) == []


@pytest.mark.once
def test_what_was_not_begun_here_leads_nowhere(client: FlaskClient, team: Team) -> None:
    url = leave(client)
    back = find_path(Person(team.email).come_back(url, BACK))
    other = app_of(client)
    for path in (back, "/sign-in/oidc/callback", "/sign-in/oidc/callback?code=a&state=b"):
        answer = other.get(path)
        assert answer.status_code == 400 and "not begun here" in answer.text, path
    assert client.get(back.replace("state=", "state=x")).status_code == 400
    assert client.get(back).status_code == 303, "In the browser that has begun it"


@pytest.mark.once
@pytest.mark.parametrize("changed", ["nonce", "code_verifier", "issuer", "refused", "late"])
def test_an_answer_that_does_not_fit_signs_nobody_in(
    client: FlaskClient, team: Team, changed: str
) -> None:
    back = find_path(Person(team.email).come_back(leave(client), BACK))
    with client.session_transaction() as session:
        (key,) = [each for each in session if each.startswith("_state_")]
        way = session[key]["data"]
        if changed in way:
            way[changed] = "x" * 50
        way["began"] -= 901 if changed == "late" else 0
        session.modified = True
    if changed == "issuer":
        back = back.replace("iss=http", "iss=https")
    if changed == "refused":
        back = f"/sign-in/oidc/callback?state={key.rpartition('_')[2]}&error=access_denied"
    answer = client.get(back)
    expected = {"late": 400, "refused": 403}.get(changed, 502)
    assert answer.status_code == expected, answer.text
    assert not is_signed_in(client)
    assert client.get(back).status_code == 400, "What was begun is over"


@pytest.mark.once
def test_another_client_s_secret_or_issuer_is_told_of(
    make_app: Callable[..., Flask], team: Team, issuer: str, database_url: str
) -> None:
    for changed, step in (
        ({"FLOWPULSE_OIDC_CLIENT_SECRET": "wrong"}, "back"),
        ({"FLOWPULSE_OIDC_ISSUER": f"{issuer}/"}, "there"),
    ):
        app = make_app(**{**SET, "FLOWPULSE_OIDC_ISSUER": issuer, **changed})
        client = app.test_client()
        answer = enter(client, team.email) if step == "back" else client.get("/sign-in/oidc")
        assert answer.status_code == 502, changed
        assert "can't be used" in Page(answer.text).text


@pytest.mark.once
def test_where_the_provider_is_away_a_page_and_the_doctor_say_so(
    make_app: Callable[..., Flask], team: Team, app: Flask
) -> None:
    finding = check_sign_in_provider()
    assert finding.state == "ok" and BACK in finding.message
    away = make_app(**SET, FLOWPULSE_OIDC_ISSUER=f"http://127.0.0.1:{free_port()}")
    answer = away.test_client().get("/sign-in/oidc")
    assert answer.status_code == 503 and f"{NAME} gives no answer just now" in answer.text
    assert Page(answer.text).links[-1] == "/sign-in"
    with away.app_context():
        finding = check_sign_in_provider()
        assert finding.state == "fail" and CLIENT_SECRET not in str(finding)
    assert refusals() == []


@pytest.mark.once
def test_who_is_removed_or_deleted_finds_nothing(client: FlaskClient, team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("cy@example.org", PASSWORD, "member", workspace)
    enter(client, "cy@example.org")
    assert is_signed_in(client)
    person = find_person("cy@example.org")
    with writing() as session:
        session.delete(session.scalars(select(Membership).filter_by(user_id=person.id)).one())
    answer = app_of(client)
    enter(answer, "cy@example.org")
    assert "belong to no workspace" in open_page(answer, "/", 403).text
    with writing() as session:
        session.delete(find_person("cy@example.org"))
    assert not is_signed_in(client)
    assert enter(app_of(client), "cy@example.org").status_code == 403
    assert list(db.session.scalars(select(Identity.id))) == []


@pytest.mark.once
def test_whose_domain_may_sign_up_comes_into_the_workspace(
    make_app: Callable[..., Flask], team: Team, issuer: str, app: Flask
) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id).public_id
    own = make_app(
        **SET,
        FLOWPULSE_OIDC_ISSUER=issuer,
        FLOWPULSE_SIGN_UP_DOMAINS=("example.org",),
        FLOWPULSE_SIGN_UP_WORKSPACE=workspace,
        FLOWPULSE_SIGN_UP_ROLE="member",
    )
    assert enter(own.test_client(), "di@example.org").status_code == 303
    assert enter(own.test_client(), "di@sub.example.org").status_code == 403
    assert roles_of("di@example.org") == ["member"]
    with own.app_context():
        assert "example.org becomes a member" in check_who_comes().message
        own.config["FLOWPULSE_SIGN_UP_WORKSPACE"] = "gone"
        assert check_who_comes().state == "fail"
        assert enter(own.test_client(), "ed@example.org").status_code == 403


@pytest.mark.once
def test_before_a_key_is_made_the_provider_asks_again(client: FlaskClient, team: Team) -> None:
    make_invitation(team, "bo@example.org")
    person = Person("bo@example.org")
    client.get(find_path(person.come_back(leave(client), BACK)))
    assert person.asked == 1
    asked = Page(send_form(client, "/keys", name="n8n").text)
    assert "Confirm that it is you" in asked.text and not asked.has_id("field-password_again")
    early = submit(client, asked.form("/keys"))
    assert early.status_code == 422 and f"Confirm at {NAME} first" in early.text
    (link,) = [each for each in asked.links if each.startswith("/account/provider")]
    back = person.come_back(leave(client, link), BACK)
    assert person.asked == 2, "Though it knew who it was"
    assert "press Continue in the one before" in Page(client.get(find_path(back)).text).text
    assert submit(client, asked.form("/keys")).status_code == 200
    noted = select(AuditEntry.details).where(AuditEntry.what == "password_confirmed")
    db.session.rollback()
    assert list(db.session.scalars(noted)) == [{"by": NAME}]


@pytest.mark.once
def test_a_word_of_before_and_another_person_confirm_nothing(
    client: FlaskClient, team: Team
) -> None:
    person = Person(team.email)
    client.get(find_path(person.come_back(leave(client), BACK)))
    page = open_page(client, "/account/two-factor", 403)
    (link,) = [each for each in page.links if each.startswith("/account/provider")]
    url = leave(client, link).replace("prompt=login", "").replace("max_age=0", "")
    answer = client.get(find_path(person.come_back(url, BACK)))
    assert answer.status_code == 403 and "has not asked who it is" in answer.text
    answer = enter(client, "bo@example.org", link)
    assert answer.status_code == 403 and "signed in as somebody else" in answer.text
    assert open_page(client, "/account/two-factor", 403)
    answer = client.get(find_path(person.come_back(leave(client, link), BACK)))
    assert (answer.status_code, answer.location) == (303, "/account/two-factor")
    assert open_page(client, "/account/two-factor")


@pytest.mark.once
def test_of_a_provider_that_tells_no_times_the_way_there_has_to_do(
    client: FlaskClient, team: Team
) -> None:
    """Such as Google, which takes no `prompt=login`."""
    provider = find_provider()
    assert provider is not None
    provider.load_server_metadata()["claims_supported"] = ["sub", "email"]
    person = Person(team.email)
    client.get(find_path(person.come_back(leave(client), BACK)))
    assert open_page(client, "/account/two-factor"), "Signing in counts"
    with writing() as session:
        session.execute(update(UserSession).values(password_at=None))
    page = open_page(client, "/account/two-factor", 403)
    (link,) = [each for each in page.links if each.startswith("/account/provider")]
    url = leave(client, link)
    assert "prompt=select_account" in url and "max_age" not in url
    # This one knows no such prompt.
    back = person.come_back(url.replace("prompt=select_account", ""), BACK)
    assert client.get(find_path(back)).location == "/account/two-factor"
    assert open_page(client, "/account/two-factor")


@pytest.mark.once
def test_who_is_refused_again_and_again_has_to_wait(client: FlaskClient, team: Team) -> None:
    client.application.config["FLOWPULSE_FAILED_SIGN_IN_LIMIT"] = 2
    answers = [enter(client, "stranger@example.org") for _ in range(3)]
    assert [each.status_code for each in answers] == [403, 403, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


@pytest.mark.once
def test_a_form_goes_on_after_a_sign_in_in_another_tab(client: FlaskClient, team: Team) -> None:
    sign_in(client, team.email)
    form = open_page(client, "/workflows").form("/workflows")
    with writing() as session:
        session.execute(update(UserSession).values(end_reason="ended"))
    kept = Page(submit(client, form, name="Typed before").text)
    assert "in a new tab" in kept.text
    early = submit(client, kept.form("/sign-in"), signed_in="1")
    assert early.status_code == 422 and "not signed in yet" in early.text
    assert enter(client, team.email).status_code == 303
    answer = submit(client, kept.form("/sign-in"), signed_in="1")
    assert "Typed before" in answer.text and Page(answer.text).form("/workflows")


@pytest.mark.once
def test_nobody_takes_a_colleague_s_address_before_they_are_linked(
    client: FlaskClient, team: Team
) -> None:
    sign_in(client, team.email)
    told: Any = {"name": "", "email": "boss@example.org", "password": PASSWORD}
    answer = send_form(client, "/account", "/account/profile", **told)
    assert answer.status_code == 422 and f"Sign in with {NAME} once" in answer.text
    enter(app_of(client), team.email)
    reset_password(team.email, PASSWORD)
    sign_in(client, team.email)
    assert send_form(client, "/account", "/account/profile", **told).status_code == 303
    answer = enter(app_of(client), "boss@example.org")
    assert answer.status_code == 403 and "linked to somebody else" in answer.text


@pytest.mark.once
def test_it_leads_to_no_other_site(client: FlaskClient, team: Team) -> None:
    answer = enter(client, team.email, "/sign-in/oidc?next=//evil.example")
    assert (answer.status_code, answer.location) == (303, "/")


@pytest.mark.once
def test_passwords_can_be_switched_off(client: FlaskClient, team: Team) -> None:
    form = open_page(client, "/sign-in").form("/sign-in")
    client.application.config["FLOWPULSE_PASSWORD_SIGN_IN"] = False
    page = open_page(client, "/sign-in")
    assert not page.has_id("field-password") and f"Sign in with {NAME}" in page.text
    answer = submit(client, form, email=team.email, password=PASSWORD)
    assert answer.status_code == 403 and "Passwords sign nobody in here" in answer.text
    assert client.get("/sign-in/lost-password").status_code == 403
    token = make_invitation(team, "bo@example.org")
    assert not open_page(client, f"/invitation/{token}").has_id("field-password")
    assert enter(client, team.email).status_code == 303


@pytest.mark.once
def test_ways_that_are_begun_and_left_do_not_fill_the_cookie(client: FlaskClient) -> None:
    for _ in range(8):
        leave(client)
    with client.session_transaction() as session:
        assert len([each for each in session if each.startswith("_state_")]) == 3


@pytest.mark.once
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"FLOWPULSE_OIDC_CLIENT_SECRET": ""}, "set FLOWPULSE_OIDC_CLIENT_ID"),
        ({"FLOWPULSE_PUBLIC_URL": ""}, "set FLOWPULSE_PUBLIC_URL"),
        ({"FLOWPULSE_SIGN_UP_DOMAINS": ("*",)}, "set FLOWPULSE_SIGN_UP_WORKSPACE"),
        ({"FLOWPULSE_PROXY_USER_HEADER": "Remote-User"}, "name the proxy"),
        (
            {"FLOWPULSE_OIDC_ISSUER": "", "FLOWPULSE_PASSWORD_SIGN_IN": False},
            "nothing else signs anybody in",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as error:
        apps.make_app(
            f"sqlite:///{tmp_path}/x.db",
            tmp_path,
            **{**SET, "FLOWPULSE_OIDC_ISSUER": "https://id.example.org", **settings},
        )
    assert CLIENT_SECRET not in str(error.value)

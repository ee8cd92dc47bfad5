"""Invitations: who may make them, what the link opens, and for whom."""

import re
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import db, writing
from app.models import AuditEntry, Invitation, Membership, User, UserSession, Workspace
from app.workspaces.invitations import invite, join_as_new
from app.workspaces.members import change_role, remove_member
from app.workspaces.mistakes import GoneError
from app.workspaces.people import create_user
from tests.console.pages import Page, open_page, send_form
from tests.factories import PASSWORD, Team, make_team
from tests.sessions import make_client

NEW = "bo@example.org"


def make(browser: FlaskClient, email: str = NEW, role: str = "member") -> str:
    """The link's path, as the page shows it once."""
    answer = send_form(
        browser, "/settings", "/settings/invitations", invited_email=email, invited_role=role
    )
    assert answer.status_code == 200, answer.text
    found = re.search(r'id="invitation-link">http://[^/]+(/invitation/[\w-]{43})<', answer.text)
    assert found
    return found[1]


def member(email: str) -> Membership:
    db.session.rollback()
    return db.session.scalars(select(Membership).join(User).where(User.email == email)).one()


def roles_of(email: str) -> list[str]:
    db.session.rollback()
    query = select(Membership.role).join(User).where(User.email == email)
    return list(db.session.scalars(query.order_by(Membership.id)))


def sign_up(app: Flask, link: str, **fields: str) -> tuple[FlaskClient, int, str]:
    browser = app.test_client()
    fields.setdefault("password", PASSWORD)
    answer = send_form(browser, link, link, **fields)
    return browser, answer.status_code, answer.text


def test_whoever_has_no_account_makes_one_and_is_in(app: Flask, owner: FlaskClient) -> None:
    link = make(owner)
    assert NEW in open_page(owner, "/settings").text
    browser, status, _ = sign_up(app, link, name="Bo")
    assert status == 303
    assert "Welcome to Team." in open_page(browser, "/").text
    assert roles_of(NEW) == ["member"] and member(NEW).user.name == "Bo"
    assert "Call back the invitation" not in owner.get("/settings").text


def test_a_link_works_once(app: Flask, owner: FlaskClient) -> None:
    link = make(owner)
    sign_up(app, link)
    assert "is over" in open_page(app.test_client(), link, 410).text


def test_of_two_who_come_at_once_one_gets_in(app: Flask, team: Team) -> None:
    _, token = invite(member(team.email), NEW, "member")
    db.session.remove()
    together, came = Barrier(2), []

    def come() -> None:
        with app.app_context():
            together.wait()
            try:
                came.append(join_as_new(token, "", PASSWORD).email)
            except (GoneError, ValueError):
                pass

    threads = [Thread(target=come) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came == [NEW] and roles_of(NEW) == ["member"]


def test_whoever_has_an_account_signs_in_and_joins_with_it(app: Flask, owner: FlaskClient) -> None:
    other = make_team(first=False)
    link = make(owner, other.email, "admin")
    stranger = app.test_client()
    page = open_page(stranger, link)
    assert "There is an account for this address" in page.text
    assert f"/sign-in?next={link}" in page.links
    browser = make_client(app, other.email)
    send_form(browser, link, link)
    assert roles_of(other.email) == ["owner", "admin"]
    assert "Of the workspace Team" in open_page(browser, "/settings").text


def test_a_link_is_for_its_address_alone(
    app: Flask, owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    link = make(owner)
    browser = colleague("viewer")
    assert "You are signed in as viewer@example.org" in open_page(browser, link).text
    token = open_page(browser, "/account").form("/sign-out").fields
    answer = browser.post(link, data=token)
    assert answer.status_code == 422 and roles_of("viewer@example.org") == ["viewer"]
    assert open_page(app.test_client(), link).text  # It still works for whom it is.


def test_a_new_link_ends_the_one_before(app: Flask, owner: FlaskClient) -> None:
    first, second = make(owner), make(owner, role="viewer")
    open_page(app.test_client(), first, 410)
    sign_up(app, second)
    assert roles_of(NEW) == ["viewer"]


def test_a_link_ends_after_three_days(app: Flask, owner: FlaskClient) -> None:
    link = make(owner)
    with writing() as session:
        session.execute(update(Invitation).values(expires_at=now() - timedelta(seconds=1)))
    open_page(app.test_client(), link, 410)
    assert NEW not in open_page(owner, "/settings").text


def test_an_invitation_is_called_back(app: Flask, owner: FlaskClient) -> None:
    link = make(owner)
    page = Page(owner.get("/settings").text)
    revoke = next(form.action for form in page.forms if form.action.endswith("/revoke"))
    assert send_form(owner, "/settings", revoke).status_code == 303
    assert f"The invitation of {NEW} opens nothing any more." in open_page(owner, "/settings").text
    open_page(app.test_client(), link, 410)


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_a_link_ends_with_the_right_to_make_it(
    app: Flask, team: Team, colleague: Callable[[str], FlaskClient], how: str
) -> None:
    link = make(colleague("admin"))
    boss, admin = member(team.email), member("admin@example.org")
    if how == "demoted":
        change_role(boss, admin, "member")
    else:
        remove_member(boss, admin)
    open_page(app.test_client(), link, 410)


def test_an_admin_makes_no_owners(colleague: Callable[[str], FlaskClient]) -> None:
    browser = colleague("admin")
    answer = send_form(
        browser, "/settings", "/settings/invitations", invited_email=NEW, invited_role="owner"
    )
    assert answer.status_code == 422 and "Only an owner decides" in answer.text
    assert db.session.scalar(select(func.count(Invitation.id))) == 0


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_others_make_none(colleague: Callable[[str], FlaskClient], role: str) -> None:
    browser = colleague(role)
    token = open_page(browser, "/account").form("/sign-out").fields
    told = {**token, "invited_email": NEW, "invited_role": "viewer"}
    assert browser.post("/settings/invitations", data=told).status_code == 403


@pytest.mark.parametrize(
    ("email", "role", "field"),
    [
        ("nobody", "member", "invited_email"),
        (NEW, "king", "invited_role"),
        ("a\0b@example.org", "member", "invited_email"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    owner: FlaskClient, email: str, role: str, field: str
) -> None:
    answer = send_form(
        owner, "/settings", "/settings/invitations", invited_email=email, invited_role=role
    )
    assert answer.status_code == 422 and f'id="field-{field}-error"' in answer.text


def test_a_member_is_not_invited(owner: FlaskClient, team: Team) -> None:
    answer = send_form(
        owner, "/settings", "/settings/invitations", invited_email=team.email, invited_role="viewer"
    )
    assert answer.status_code == 422 and "is in this workspace already" in answer.text


def test_a_weak_password_leaves_the_link_as_it_is(app: Flask, owner: FlaskClient) -> None:
    link = make(owner)
    _, status, text = sign_up(app, link, password="short")
    assert status == 422 and 'id="field-password-error"' in text
    _, status, _ = sign_up(app, link, name="\0")
    assert status == 422
    assert sign_up(app, link)[1] == 303


@pytest.mark.parametrize("token", ["x", "%00", "a" * 43, "%F0%9F%92%A9", "a" * 5000])
def test_what_is_no_link_opens_nothing(app: Flask, team: Team, token: str) -> None:
    open_page(app.test_client(), f"/invitation/{token}", 410)


def test_the_link_is_not_in_the_database_and_the_audit_log_tells_of_it(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    link = make(owner)
    token = link.rpartition("/")[2]
    row = db.session.scalars(select(Invitation)).one()
    assert token not in " ".join(str(value) for value in vars(row).values())
    sign_up(app, link)
    told = {each.what: each.details for each in db.session.scalars(select(AuditEntry))}
    assert told["member_invited"] == {"role": "member"}
    assert told["member_added"] == {"role": "member", "invited by": team.email}


def test_the_password_is_asked_for_again(app: Flask, owner: FlaskClient) -> None:
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(hours=1)))
    answer = send_form(
        owner, "/settings", "/settings/invitations", invited_email=NEW, invited_role="member"
    )
    assert answer.status_code == 403 and "password" in answer.text
    assert db.session.scalar(select(func.count(Invitation.id))) == 0


# --- Several workspaces ---------------------------------------------------------------------------


def test_a_browser_shows_the_workspace_that_was_chosen(app: Flask, team: Team) -> None:
    other = make_team("Other flow", first=False)
    theirs = db.session.get_one(Workspace, other.workspace_id)
    name, public_id = theirs.name, theirs.public_id
    _, token = invite(member(other.email), team.email, "viewer")
    browser = make_client(app, team.email)
    link = f"/invitation/{token}"
    send_form(browser, link, link)
    assert f"Of the workspace {name}" in open_page(browser, "/settings").text
    page = open_page(browser, "/")
    assert {"Team", name} <= set(re.findall(r"Team \w{6}|Team", page.text))
    own = db.session.get_one(Workspace, team.workspace_id).public_id
    send_form(browser, "/", "/account/workspace", workspace=own)
    assert "Of the workspace Team" in open_page(browser, "/settings").text
    send_form(browser, "/", "/account/workspace", workspace=public_id)
    assert browser.get(f"/workflows/{team.workflow_public_id}").status_code == 404
    assert browser.get(f"/workflows/{other.workflow_public_id}").status_code == 200


def test_nobody_chooses_a_workspace_of_others(app: Flask, owner: FlaskClient) -> None:
    other = make_team(first=False)
    theirs = db.session.get_one(Workspace, other.workspace_id).public_id
    token = open_page(owner, "/account").form("/sign-out").fields
    owner.post("/account/workspace", data={**token, "workspace": theirs})
    assert "Of the workspace Team." in open_page(owner, "/settings").text
    assert owner.get(f"/workflows/{other.workflow_public_id}").status_code == 404


def test_whoever_is_removed_falls_back_to_their_own(app: Flask, team: Team) -> None:
    other = make_team(first=False)
    _, token = invite(member(other.email), team.email, "viewer")
    browser = make_client(app, team.email)
    send_form(browser, f"/invitation/{token}", f"/invitation/{token}")
    db.session.rollback()
    gone = db.session.scalars(
        select(Membership)
        .join(User)
        .where(User.email == team.email, Membership.workspace_id == other.workspace_id)
    ).one()
    remove_member(member(other.email), gone)
    assert browser.get("/settings").status_code == 302  # Signed out everywhere.
    browser = make_client(app, team.email)
    assert "Of the workspace Team." in open_page(browser, "/settings").text


def test_the_servers_owner_makes_workspaces_and_others_do_not(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    answer = send_form(owner, "/settings", "/settings/workspaces", new_workspace=" Second  team ")
    assert answer.status_code == 303
    assert "Of the workspace Second team." in open_page(owner, "/settings").text
    assert (
        send_form(owner, "/settings", "/settings/workspaces", new_workspace="").status_code == 422
    )
    browser = colleague("owner")
    token = open_page(browser, "/account").form("/sign-out").fields
    told = {**token, "new_workspace": "Mine"}
    assert browser.post("/settings/workspaces", data=told).status_code == 403


def test_an_only_workspace_needs_no_switch(owner: FlaskClient) -> None:
    assert "/account/workspace" not in owner.get("/").text


def test_a_person_of_no_workspace_is_told(app: Flask, team: Team) -> None:
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("gone@example.org", PASSWORD, "viewer", workspace)
    remove_member(member(team.email), member("gone@example.org"))
    assert make_client(app, "gone@example.org").get("/").status_code == 403

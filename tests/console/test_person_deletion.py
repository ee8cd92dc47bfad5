"""The end of a person's account, and what the audit log still tells of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError

from app.clock import now
from app.extensions import Model, db, writing
from app.identifiers import new_id
from app.models import AuditEntry, Event, Invitation, Membership, User, UserSession
from app.workspaces.audit import change, note_account
from app.workspaces.invitations import call_back, invite, join_as_new
from app.workspaces.members import remove_member
from app.workspaces.people import RefusedError
from app.workspaces.person_deletion import delete_person
from app.workspaces.rescue import find_person
from tests.cli.conftest import Run as RunCommand
from tests.cli.conftest import run as run
from tests.console.pages import send_form
from tests.factories import PASSWORD, Team, accepted_row, make_team

ADDRESS = "member@example.org"


@pytest.fixture
def person(owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]) -> FlaskClient:
    """A member who has signed in, made a key, and sent an event from the console."""
    client = colleague("member")
    send_form(client, "/keys", name="theirs", scope=["ingest"])
    send_as(team, ADDRESS)
    assert holding(ADDRESS)
    return client


def holding(text: str) -> list[str]:
    """The tables in which the text stands anywhere."""
    found = []
    for table in Model.metadata.sorted_tables:
        rows = db.session.execute(select(table)).all()
        found += [table.name] if text in str(rows) else []
    db.session.rollback()
    return found


def test_nothing_tells_of_the_person_and_all_else_stays(
    person: FlaskClient, owner: FlaskClient, team: Team
) -> None:
    member = find_person(ADDRESS)
    public_id = member.public_id
    before = read_log()
    answer = send_form(person, "/account", "/account/delete", email_again=ADDRESS)
    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert holding(ADDRESS) == []
    assert person.get("/events").status_code == 302
    after = read_log()
    assert [each["what"] for each in after] == [
        *(each["what"] for each in before),
        "person_deleted",
    ]
    theirs = [each for each in after if each["who_id"] == public_id]
    assert {each["who"] for each in theirs} == {public_id}
    assert {(each["remote_addr"], each["details"]) for each in theirs} == {(None, None)}
    others = [each for each in before if public_id not in (each["who_id"], each["about_id"])]
    assert [each for each in after if each["id"] in {old["id"] for old in others}] == others
    assert "theirs" in owner.get("/keys").text
    assert public_id in owner.get("/settings/audit").text


def read_log() -> list[dict[str, Any]]:
    rows = db.session.execute(select(AuditEntry.__table__).order_by(AuditEntry.id)).mappings()
    entries = [dict(row) for row in rows]
    db.session.rollback()
    return entries


def test_invitations_name_nobody_either(team: Team) -> None:
    """Neither who was invited, also under a former address, nor who has invited others; those stay
    named, and so does whoever has the former address now."""
    first, former, taken = (f"{name}@example.org" for name in ("eva", "eva.b", "eva.c"))
    call_back(membership(team), invite(membership(team), former, "viewer")[0].public_id)
    come(team, former, "admin")
    change_address(former, taken)
    change_address(taken, first)
    come(team, taken, "viewer")
    _, token = invite(membership(team, first), "kim@example.org", "viewer")
    join_as_new(token, "Kim", PASSWORD)
    public_id = find_person(first).public_id
    delete_person(find_person(first), first)
    assert (holding(former), holding(f"'{first}"), holding("Eva")) == ([], [], [])
    told = [(each["what"], each["about"], each["details"]) for each in read_log()]
    assert ("member_invited", public_id, {"role": "viewer"}) in told
    assert ("member_invited", public_id, {"role": "admin"}) in told
    assert ("invitation_called_back", public_id, None) in told
    assert ("member_invited", taken, {"role": "viewer"}) in told
    assert ("member_added", "kim@example.org", {"role": "viewer", "invited by": public_id}) in told
    for values in ({"about": "x"}, {"about": find_person(taken).public_id}, {"details": None}):
        refuse(values, (AuditEntry.what == "member_invited") & (AuditEntry.about == public_id))
    refuse(
        {"about": public_id}, (AuditEntry.what == "member_invited") & (AuditEntry.about == taken)
    )
    refuse({"details": {"role": "owner"}}, AuditEntry.about == "kim@example.org")


@pytest.mark.parametrize("way", ["changed back", "kept", "after leaving"])
def test_whoever_takes_an_address_for_a_while_takes_nothing_else(team: Team, way: str) -> None:
    """No mail proves it: what others did under it, or are invited by, stays as it is."""
    own, wanted, boss = (f"{name}@example.org" for name in ("mal", "victim", "boss"))
    elsewhere = make_team("Elsewhere", first=False)
    come(team, own, "viewer")
    come(team, boss, "admin")
    _, token = invite(membership(team, boss), "lee@example.org", "viewer")
    join_as_new(token, "Lee", PASSWORD)
    send_as(team, boss)
    change_address(boss, "boss.b@example.org")
    invite(membership(team), wanted, "viewer")
    if way == "after leaving":
        remove_member(membership(team), membership(team, own))
    change_address(own, boss)
    change_address(boss, wanted)
    invite(membership(elsewhere), wanted, "viewer")
    if way == "after leaving":
        invite(membership(team), wanted, "viewer")
    if way == "changed back":
        change_address(wanted, own)
    last = own if way == "changed back" else wanted
    before, public_id = read_log(), find_person(last).public_id
    delete_person(find_person(last), last)
    mine = [each["id"] for each in before if public_id in (each["who_id"], each["about_id"])]
    invited = [each["id"] for each in before if each["about"] == own]
    others = [each for each in before if each["id"] not in (*mine, *invited)]
    assert {boss, wanted} <= {each["about"] for each in others}
    assert [each for each in read_log() if each["id"] in {old["id"] for old in others}] == others
    assert db.session.scalar(select(func.count()).where(Invitation.email == wanted)) == 2
    assert db.session.scalar(select(func.count()).where(Event.sent_by == boss)) == 1
    there = AuditEntry.workspace_id == elsewhere.workspace_id
    refuse({"about": public_id}, there & (AuditEntry.about == wanted))


def send_as(team: Team, email: str) -> None:
    """An event from the console."""
    row = accepted_row(now(), workspace_id=team.workspace_id, public_id=new_id())
    with writing() as session:
        session.execute(insert(Event), [{**row, "origin": "test", "sent_by": email}])


def come(team: Team, email: str, role: str) -> None:
    """By an invitation of the owner's."""
    join_as_new(invite(membership(team), email, role)[1], "", PASSWORD)


def change_address(was: str, is_: str) -> None:
    """As the account's page does."""
    with writing() as session:
        user = find_person(was)
        user.email = is_
        note_account(session, "email_changed", user, {"email": change(was, is_)})


def membership(team: Team, email: str = "") -> Membership:
    db.session.rollback()
    mine = (User.email == (email or team.email)) & (Membership.workspace_id == team.workspace_id)
    return db.session.scalars(select(Membership).join(User).where(mine)).one()


def test_of_a_person_who_is_there_no_entry_is_changed(person: FlaskClient) -> None:
    """The database keeps them, and all but what tells of the person also of one who is not."""
    public_id = find_person(ADDRESS).public_id
    refuse({"who": public_id}, AuditEntry.who_id == public_id)
    delete_person(find_person(ADDRESS), ADDRESS)
    mine = AuditEntry.who_id == public_id
    for values in ({"what": "signed_out"}, {"who": None}, {"who": "x"}, {"who_id": None},
                   {"at": now()}, {"workspace_id": 7}, {"about": "x"}, {"details": {"a": 1}},
                   {"remote_addr": "192.0.2.1"}, {"keep_until": now()}):  # fmt: skip
        refuse(values, mine)
    keys = AuditEntry.what == "key_created"
    refuse({"about": None}, keys)


def refuse(values: dict[str, Any], which: Any) -> None:
    assert db.session.scalar(select(func.count()).where(which))
    with pytest.raises(DBAPIError, match="never changed"), writing() as session:
        session.execute(update(AuditEntry).where(which).values(values))


def test_who_is_needed_stays(owner: FlaskClient, team: Team, person: FlaskClient) -> None:
    answer = send_form(owner, "/account", "/account/delete", email_again=team.email)
    assert answer.status_code == 422 and "set the server up" in answer.text
    with writing() as session:
        theirs = select(User.id).where(User.email == ADDRESS).scalar_subquery()
        session.execute(update(Membership).values(role="member"))
        mine = update(Membership).where(Membership.user_id == theirs)
        session.execute(mine.values(role="owner").execution_options(synchronize_session=False))
    with pytest.raises(RefusedError, match="last owner of the workspace Team"):
        delete_person(find_person(ADDRESS), ADDRESS)


def test_it_asks_for_the_password_and_the_address(person: FlaskClient) -> None:
    answer = send_form(person, "/account", "/account/delete", email_again="other@example.org")
    assert answer.status_code == 422 and "Type the e-mail address" in answer.text
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    asked = send_form(person, "/account", "/account/delete", email_again=ADDRESS)
    assert asked.status_code == 403
    assert find_person(ADDRESS)


def test_the_command_does_so_too(run: RunCommand, person: FlaskClient) -> None:
    assert "Type the e-mail" in run("user", "delete", ADDRESS, input="x\n", exit_code=1).stderr
    assert "is deleted" in run("user", "delete", ADDRESS, input=f"{ADDRESS}\n").stdout
    assert holding(ADDRESS) == []
    assert "no user" in run("user", "delete", ADDRESS, exit_code=1).stderr

"""`user create` and `user list`."""

import json
import os
import pty
import select
import sys
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete
from sqlalchemy import select as choose

from app.clock import timestamp
from app.extensions import db, writing
from app.models import Identity, Membership, RateBucket, User, UserSession, Workspace
from app.workspaces.people import find_by_password, is_instance_owner, is_set_up
from app.workspaces.sessions import start_session
from app.workspaces.tries import of_account, take
from app.workspaces.two_factor import count_codes, is_on
from tests.cli.conftest import Run
from tests.console.test_two_factor import switch_on
from tests.factories import PASSWORD, make_team, make_workspace
from tests.server import test_environment


def create(run: Run, email: str = "ana@example.org", *more: str, exit_code: int = 0) -> str:
    arguments = ("user", "create", email, "--password-stdin", *more)
    return run(*arguments, input=PASSWORD + "\n", exit_code=exit_code).output


def test_the_first_owner_sets_the_server_up(run: Run) -> None:
    public_id, email, role = create(run, "Ana@Example.org", "--role", "owner").strip().split("\t")
    person = find_by_password("ana@example.org", PASSWORD)
    assert person and is_instance_owner(person)
    assert (person.public_id, email, role) == (public_id, "ana@example.org", "owner")
    assert person.memberships[0].workspace.name == "My workspace"


def test_the_first_workspace_gets_the_wanted_name(run: Run) -> None:
    create(run, "ana@example.org", "--role", "owner", "--workspace-name", "Ops")
    assert Workspace.query.one().name == "Ops"
    refused = create(run, "b@example.org", "--role", "owner", "--workspace-name", "X", exit_code=1)
    assert "This server is set up already" in refused


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
def test_the_first_user_must_be_an_owner(run: Run, role: str) -> None:
    refused = create(run, "ana@example.org", "--role", role, exit_code=1)
    assert refused == "Error: The first user sets the server up and must be an owner.\n"
    assert not is_set_up()


def test_a_workspace_that_is_yet_to_be_made_cannot_be_chosen(run: Run) -> None:
    refused = create(run, "a@example.org", "--role", "owner", "--workspace", "Ops", exit_code=1)
    assert "--workspace-name" in refused


def test_further_users_get_their_role_in_the_only_workspace(run: Run) -> None:
    make_team()
    printed = create(run, "ben@example.org", "--role", "viewer", "--json")
    described = json.loads(printed)
    assert described.items() >= {"email": "ben@example.org", "role": "viewer"}.items()
    assert described["workspace"] == "Team"


def test_a_weak_password_is_refused_in_one_line(run: Run) -> None:
    arguments = ("user", "create", "a@example.org", "--role", "owner", "--password-stdin")
    result = run(*arguments, input="short", exit_code=1)
    assert result.stderr == "Error: Use at least 12 characters; a sentence is fine.\n"
    assert result.stdout == ""


def test_a_common_password_is_refused(run: Run) -> None:
    arguments = ("user", "create", "ana@example.org", "--role", "owner", "--password-stdin")
    assert "a common password" in run(*arguments, input="Password2024!", exit_code=1).stderr
    assert "a name that others know" in run(*arguments, input="ana-example-1", exit_code=1).stderr


def test_a_password_that_is_no_text_is_refused(run: Run) -> None:
    arguments = ("user", "create", "a@example.org", "--role", "owner", "--password-stdin")
    assert "UTF-8" in run(*arguments, input=b"\xff\xfe" * 10, exit_code=1).stderr


def test_a_taken_or_senseless_address_is_refused(run: Run) -> None:
    make_team()
    create(run, "ben@example.org", "--role", "member")
    assert "already" in create(run, "BEN@example.org", "--role", "member", exit_code=1)
    assert "e-mail" in create(run, "\x1b[31mnobody", "--role", "member", exit_code=1)


def test_an_unknown_role_is_wrong_use(run: Run) -> None:
    create(run, "ana@example.org", "--role", "king", exit_code=2)
    run("user", "create", "ana@example.org", exit_code=2)


def test_without_a_terminal_the_password_must_come_from_standard_input(run: Run) -> None:
    result = run("user", "create", "ana@example.org", "--role", "owner", exit_code=2)
    assert "--password-stdin" in result.stderr


@pytest.mark.once
def test_on_a_terminal_the_password_is_asked_for_twice(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    command = ["-m", "flask", "--app", "wsgi", "user", "create", "ana@example.org"]
    process, terminal = pty.fork()
    if process == 0:
        environment = test_environment(tmp_path, database_url, 8000)
        arguments = [sys.executable, *command, "--role", "owner"]
        os.execve(sys.executable, arguments, environment)  # noqa: S606
    shown = ""
    for answer in (PASSWORD, "something else", PASSWORD, PASSWORD):
        shown += read_until(terminal, ": ")
        os.write(terminal, answer.encode() + b"\n")
    shown += read_until(terminal, "owner\r\n")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(terminal)
    assert "do not match" in shown and PASSWORD not in shown
    assert find_by_password("ana@example.org", PASSWORD)


def read_until(terminal: int, end: str) -> str:
    shown = ""
    while not shown.endswith(end) and select.select([terminal], [], [], 20)[0]:
        shown += os.read(terminal, 1000).decode()
    return shown


def test_the_list_shows_the_users_of_a_workspace(run: Run) -> None:
    team = make_team()
    create(run, "ben@example.org", "--role", "viewer")
    lines = run("user", "list").stdout.splitlines()
    assert lines[0].split() == ["ID", "EMAIL", "ROLE", "CREATED", "AT"]
    assert [line.split()[1:3] for line in lines[1:]] == [
        [team.email, "owner"],
        ["ben@example.org", "viewer"],
    ]
    assert [user["role"] for user in json.loads(run("user", "list", "--json").stdout)] == [
        "owner",
        "viewer",
    ]


def test_among_several_workspaces_one_must_be_chosen(run: Run) -> None:
    team = make_team()
    other = make_workspace()
    result = run("user", "list", exit_code=1)
    assert other.public_id in result.stderr and other.name in result.stderr
    assert team.email in run("user", "list", "--workspace", "Team").stdout
    assert team.email not in run("user", "list", "--workspace", other.public_id).stdout
    assert "No workspace has" in run("user", "list", "--workspace", "No", exit_code=1).stderr


def test_before_the_set_up_every_command_says_how_to_set_up(run: Run) -> None:
    for arguments in (["user", "list"], ["workflow", "list"], ["key", "create", "x"], ["demo"]):
        assert "not set up yet" in run(*arguments, exit_code=1).stderr


def test_a_user_who_was_removed_is_added_again(run: Run) -> None:
    team = make_team()
    with writing() as session:
        session.execute(delete(Membership))
    added = run("user", "add", team.email, "--role", "member")
    assert added.stdout.split("\t")[1:] == [team.email, "member\n"]
    again = run("user", "add", team.email, "--role", "member", exit_code=1)
    assert "in this workspace already" in again.stderr
    assert "no user" in run("user", "add", "x@example.org", "--role", "member", exit_code=1).stderr


def test_a_lost_password_is_replaced_and_all_sessions_end(run: Run) -> None:
    team = make_team()
    with writing() as session:
        session.add(RateBucket(name=of_account(team.email).name, level=99, updated_at=timestamp()))
    start_session(person_of(team.email), "192.0.2.1", "")
    arguments = ("user", "reset-password", team.email.upper(), "--password-stdin")
    assert "a common password" in run(*arguments, input="Password2024!", exit_code=1).stderr
    done = run(*arguments, input="quite another long password\n")
    assert done.stdout == f"{team.email} signs in with the new password from now on.\n"
    assert find_by_password(team.email, "quite another long password")
    assert not find_by_password(team.email, PASSWORD)
    assert [each.end_reason for each in UserSession.query] == ["reset"]
    assert take([of_account(team.email)]) == 0  # Whoever guessed has no say in it any more.
    unknown = run("user", "reset-password", "x@example.org", "--password-stdin", exit_code=1)
    assert unknown.stderr == "Error: There is no user 'x@example.org'.\n"


def test_a_lost_device_is_forgotten_and_all_sessions_end(run: Run) -> None:
    team = make_team()
    switch_on(team.email)
    start_session(person_of(team.email), "192.0.2.1", "")
    assert "the password alone" in run("user", "reset-two-factor", team.email).stdout
    person = person_of(team.email)
    assert not is_on(person) and count_codes(person) == 0
    assert [each.end_reason for each in UserSession.query] == ["reset"]


def test_a_link_to_a_provider_is_forgotten_and_all_sessions_end(run: Run) -> None:
    team = make_team()
    refused = run("user", "unlink", team.email, exit_code=1)
    assert "is linked to nobody" in refused.output
    user_id = person_of(team.email).id
    with writing() as session:
        session.add(Identity(user_id=user_id, issuer="https://id", subject="7"))
    switch_on(team.email)
    start_session(person_of(team.email), "192.0.2.1", "")
    told = run("user", "unlink", team.email.upper()).stdout
    assert f"Whoever next signs in as {team.email}" in told
    assert list(Identity.query) == []
    person = person_of(team.email)
    assert not person.has_password and not is_on(person) and count_codes(person) == 0
    assert not find_by_password(team.email, PASSWORD), "The former owner's"
    assert [each.end_reason for each in UserSession.query] == ["reset"]


def person_of(email: str) -> User:
    db.session.rollback()
    return db.session.scalars(choose(User).where(User.email == email)).one()

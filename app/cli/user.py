"""`user`: the people who may sign in."""

import sys

import click
from sqlalchemy import select

from app.cli.commands import Group
from app.cli.options import find_workspace, json_option, name_workspace_option, workspace_option
from app.cli.text import Row, print_row, print_rows
from app.extensions import db
from app.models import ROLES, Membership, Workspace
from app.workspaces.people import add_member, create_user, is_set_up, set_up
from app.workspaces.person_deletion import delete_person
from app.workspaces.rescue import find_person, reset_password, reset_two_factor, unlink

COLUMNS = ("id", "email", "role")


@click.group("user", cls=Group, help="The people who may sign in.")
def user() -> None: ...


@user.command("create")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice(ROLES[::-1]),
    required=True,
    help="What the user may do; each role may do all that the ones after it may.",
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input instead of asking for it.",
)
@click.option(
    "--workspace-name",
    metavar="NAME",
    help="Name of the workspace that the first user makes.  [default: My workspace]",
)
@name_workspace_option
@json_option
def create(
    email: str,
    role: str,
    password_stdin: bool,
    workspace_name: str | None,
    wanted_workspace: str | None,
    as_json: bool,
) -> None:
    """Add a user, and print id, e-mail address and role with a tab between each two.

    The first user, who must be an owner, sets the server up. To give the password from a file:

    \b
      .venv/bin/flask --app wsgi user create ana@example.org --role owner \\
        --password-stdin < password.txt
    """
    if is_set_up():
        if workspace_name is not None:
            raise click.ClickException(
                "This server is set up already: --workspace-name is for the first user only."
            )
        workspace = find_workspace(wanted_workspace)
        person = create_user(email, _read_password(password_stdin), role, workspace)
    else:
        _refuse_as_first(role, wanted_workspace)
        person = set_up(email, _read_password(password_stdin), workspace_name or "My workspace")
    print_row(_describe(person.memberships[0]), as_json, COLUMNS)


@user.command("add")
@click.argument("email")
@click.option(
    "--role", type=click.Choice(ROLES[::-1]), required=True, help="What the user may do there."
)
@workspace_option
@json_option
def add(email: str, role: str, workspace: Workspace, as_json: bool) -> None:
    """Give a user who is there already a role in a workspace, and print the same as `create`."""
    print_row(_describe(add_member(email, role, workspace)), as_json, COLUMNS)


@user.command("reset-password")
@click.argument("email")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input instead of asking for it.",
)
def reset_password_(email: str, password_stdin: bool) -> None:
    """Give a user who lost it another password. All their sessions end."""
    find_person(email)  # Before it asks for a password.
    person = reset_password(email, _read_password(password_stdin))
    click.echo(f"{person.email} signs in with the new password from now on.")


@user.command("reset-two-factor")
@click.argument("email")
def reset_two_factor_(email: str) -> None:
    """Turn two-factor sign-in off for a user who lost the device. All their sessions end."""
    person = reset_two_factor(email)
    click.echo(f"{person.email} signs in with the password alone from now on.")


@user.command("unlink")
@click.argument("email")
def unlink_(email: str) -> None:
    """Forget who a user is at the sign-in provider. Password, second factor and all sessions end.

    For an address that belongs to another account there by now: whoever next signs in with it at
    the provider gets this account. `user reset-password` gives it a password.
    """
    person = unlink(email)
    click.echo(f"Whoever next signs in as {person.email} at the provider gets this account.")
    click.echo("Its password and second factor work no more.")


@user.command("delete")
@click.argument("email")
@click.option("--email-again", metavar="EMAIL", help="Instead of typing it when asked.")
def delete(email: str, email_again: str | None) -> None:
    """Delete a user's account and what tells of the person, for good.

    All their sessions end. What they made stays, without their name; the audit log keeps the
    account's id in the place of the address. Not the last owner of a workspace, and not who set the
    server up. See docs/data.md.
    """
    person = find_person(email)
    again = click.prompt("Type the address", err=True) if email_again is None else email_again
    delete_person(person, again)
    click.echo("The account is deleted.")


@user.command("list")
@workspace_option
@json_option
def list_(workspace: Workspace, as_json: bool) -> None:
    """List the users of a workspace."""
    memberships = db.session.scalars(
        select(Membership)
        .where(Membership.workspace_id == workspace.id)
        .order_by(Membership.created_at, Membership.id)
    )
    rows = [_describe(membership) for membership in memberships]
    print_rows(rows, as_json, (*COLUMNS, "created_at"))


def _describe(membership: Membership) -> Row:
    person = membership.user
    return {
        "id": person.public_id,
        "email": person.email,
        "role": membership.role,
        "workspace": membership.workspace.name,
        "created_at": person.created_at,
    }


def _refuse_as_first(role: str, wanted_workspace: str | None) -> None:
    if role != "owner":
        raise click.ClickException("The first user sets the server up and must be an owner.")
    if wanted_workspace is not None:
        raise click.ClickException(
            "There is no workspace yet. Name the one to be made with --workspace-name."
        )


def _read_password(from_stdin: bool) -> str:
    """From standard input, without the line's end; or asked for twice on a terminal."""
    if from_stdin:
        try:
            return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise click.ClickException("The password is not in UTF-8.") from error
    if not sys.stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask for the password. Give it with --password-stdin, "
            "such as: … --password-stdin < password.txt"
        )
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password

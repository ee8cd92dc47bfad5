"""`workspace`: the teams on this server, each with its own workflows, keys, people and log."""

import click
from sqlalchemy import select

from app.cli.commands import Group
from app.cli.options import json_option
from app.cli.text import Row, print_row, print_rows
from app.extensions import db
from app.models import Workspace
from app.workspaces.people import create_workspace
from app.workspaces.rescue import find_person

COLUMNS = ("id", "name")


@click.group("workspace", cls=Group, help="The teams on this server.")
def workspace() -> None: ...


@workspace.command("create")
@click.argument("name")
@click.option("--owner", required=True, metavar="EMAIL", help="Who owns it: a user who is there.")
@json_option
def create(name: str, owner: str, as_json: bool) -> None:
    """Make a workspace, and print id and name with a tab between them."""
    print_row(_describe(create_workspace(name, find_person(owner))), as_json, COLUMNS)


@workspace.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the workspaces of this server."""
    rows = [
        _describe(each) for each in db.session.scalars(select(Workspace).order_by(Workspace.id))
    ]
    print_rows(rows, as_json, COLUMNS)


def _describe(workspace: Workspace) -> Row:
    return {
        "id": workspace.public_id,
        "name": workspace.name,
        "created_at": workspace.created_at,
    }

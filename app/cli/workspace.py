"""`workspace`: a whole workspace as a file, and from it."""

from pathlib import Path

import click
from sqlalchemy import func, select

from app.archives.making import make_archive
from app.archives.reading import Archive
from app.archives.taking import take_in
from app.cli.commands import Group
from app.cli.options import NOT_SET_UP, find_workspace, json_option
from app.cli.text import Row, dump, escape, print_row, print_rows
from app.extensions import db, writing
from app.models import Instance, Membership, User, Workspace
from app.processing.database_size import MEGABYTE
from app.workspaces.audit import note
from app.workspaces.deletion import delete_workspace
from app.workspaces.people import create_workspace
from app.workspaces.rescue import find_person

COLUMNS = ("table", "rows")


@click.group("workspace", cls=Group, help="A team's own workflows, keys, events and runs.")
def workspace() -> None: ...


@workspace.command("create")
@click.argument("name")
@click.option("--owner", required=True, metavar="EMAIL", help="Who owns it: a user who is there.")
@json_option
def create(name: str, owner: str, as_json: bool) -> None:
    """Make a workspace, and print id and name with a tab between them."""
    made = create_workspace(name, find_person(owner))
    about = {"id": made.public_id, "name": made.name, "created_at": made.created_at}
    print_row(about, as_json, ("id", "name"))


@workspace.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the workspaces of this server."""
    members = func.count(Membership.id)
    query = select(Workspace, members).outerjoin(Membership).group_by(Workspace.id)
    query = query.where(Workspace.deleted_at.is_(None))
    rows = [
        {"id": each.public_id, "name": each.name, "members": count, "created_at": each.created_at}
        for each, count in db.session.execute(query.order_by(Workspace.id))
    ]
    print_rows(rows, as_json, ("id", "name", "members", "created_at"))


@workspace.command("export")
@click.argument("wanted", metavar="WORKSPACE")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def export(wanted: str, file: Path, as_json: bool) -> None:
    """Write all that a workspace (by its id or name) has to FILE, for another server.

    The server may run meanwhile: all of it is of one moment. What senders have sent is in it as it
    came, secrets too, so that only its owner can read the file. Not in it: people, the audit log,
    and the settings of channels. See docs/data.md.
    """
    chosen = find_workspace(wanted)
    workspace_id, name = chosen.id, chosen.name
    made = make_archive(chosen, file)
    with writing() as session:
        about = session.get_one(Workspace, workspace_id)
        note(session, "workspace_exported", workspace_id, about, {"file": made.path.name})
    if as_json:
        click.echo(dump({"file": str(made.path), "bytes": made.size, "tables": made.rows}))
        return
    print_rows(_as_rows(made.rows), False, COLUMNS)
    click.echo(f"\n{escape(name)}: {made.size / MEGABYTE:.1f} MB in {escape(str(file))}", err=True)


@workspace.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--owner",
    metavar="EMAIL",
    help="Who becomes its owner here.  [default: who set this server up]",
)
@json_option
def import_(file: Path, owner: str | None, as_json: bool) -> None:
    """Take in the workspace that FILE holds: all of it, or nothing.

    First all of the file is looked through. Whatever then fails, what was taken in goes again;
    after a kill or a power cut, the same command begins anew. A workspace that is here already is
    refused. API keys work on where this server has the same secret key, and are revoked otherwise;
    channels wait for their settings. See docs/data.md.
    """
    owner_id = find_person(owner).id if owner else _find_first()
    with Archive(file) as archive:
        taken = take_in(archive, owner_id)
    if as_json:
        about = {"id": taken.public_id, "keys_work": taken.keys_work, "tables": taken.rows}
        click.echo(dump(about))
        return
    print_rows(_as_rows(taken.rows), False, COLUMNS)
    click.echo(f"\n{escape(taken.name)} is here, counted and added up: as it was.", err=True)
    if not taken.keys_work:
        click.echo("Its API keys are revoked: make new ones.", err=True)


@workspace.command("delete")
@click.argument("wanted", metavar="WORKSPACE")
@click.option("--name", help="Its name once more, instead of typing it when asked.")
def delete(wanted: str, name: str | None) -> None:
    """Delete a workspace (by its id or name) with all that it has, for good.

    From then on nobody sees it and its keys open nothing. The worker removes its rows in small
    batches, a million events in about an hour; `workspace export` before keeps what was in it.
    """
    chosen = find_workspace(wanted)
    name = click.prompt("Type the workspace's name", err=True) if name is None else name
    shown = chosen.name
    delete_workspace(chosen, name)
    click.echo(f"{escape(shown)} is deleted. The worker removes what it had.")


def _find_first() -> int:
    instance = db.session.get(Instance, 1)
    if instance is None:
        raise click.ClickException(NOT_SET_UP)
    return db.session.get_one(User, instance.owner_id).id


def _as_rows(tables: dict[str, int]) -> list[Row]:
    return [{"table": name, "rows": count} for name, count in tables.items()]

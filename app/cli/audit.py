"""`audit`: the log of who did what, in the terminal and as a file."""

import click

from app.cli.commands import Group
from app.cli.options import json_option, workspace_option
from app.cli.text import Row, print_rows
from app.console.audit_export import FORMATS
from app.console.audit_filter import AuditFilter
from app.console.audit_pages import find_newest, newest_id, read_batches
from app.console.audit_words import action_of, name_actor
from app.extensions import db, writing
from app.models import AuditEntry, Workspace
from app.workspaces.audit import note

COLUMNS = ("at", "who", "what", "about", "from")


@click.group("audit", cls=Group, help="The log of who did what.")
def audit() -> None: ...


@audit.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="How many of the newest.",
)
@workspace_option
@json_option
def list_(limit: int, workspace: Workspace, as_json: bool) -> None:
    """List what people have done in a workspace and on the server, the newest first."""
    entries = find_newest([workspace.id, None], limit)
    print_rows([_describe(entry) for entry in entries], as_json, COLUMNS)


@audit.command("export")
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    default="jsonl",
    show_default=True,
    help="CSV for spreadsheets, or a JSON object a line.",
)
@workspace_option
def export(name: str, workspace: Workspace) -> None:
    """Print the whole log of a workspace and of the server, the newest first.

    That it was exported is noted in the log, and stands in the next export.
    """
    ids = [workspace.id, None]
    last = newest_id()
    with writing() as session:
        note(session, "audit_exported", workspace.id, None, {"format": name})
    for part in FORMATS[name].write_all(read_batches(ids, AuditFilter(), last)):
        click.echo(part, nl=False)
    db.session.rollback()


def _describe(entry: AuditEntry) -> Row:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "who": name_actor(entry),
        "what": action_of(entry).words,
        "action": entry.what,
        "about": entry.about,
        "about_id": entry.about_id,
        "from": entry.remote_addr,
        "user_agent": entry.user_agent,
        "details": entry.details,
    }

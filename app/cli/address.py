"""`address`: secret addresses that report runs, as other monitors have them."""

import click
from flask import current_app
from sqlalchemy import or_, select

from app.cli.commands import Group
from app.cli.options import json_option, workspace_option
from app.cli.text import dump, escape
from app.extensions import db
from app.models import Workflow, Workspace
from app.workspaces.report_addresses import create_address


@click.group("address", cls=Group, help="Secret addresses, as other monitors have them.")
def address() -> None: ...


@address.command("create")
@click.argument("workflow", metavar="SLUG|ID", required=False)
@click.option(
    "--bring",
    metavar="ADDRESS",
    default="",
    help="An address of another monitor, or its secret part, which is to work here too.",
)
@workspace_option
@json_option
def create(workflow: str | None, bring: str, workspace: Workspace, as_json: bool) -> None:
    """Make an address of a workflow, and print its secret part alone on standard output.

    Without a workflow it is one of all of them, as a ping key of Healthchecks is: a slug has to
    follow it. With --bring it is the old address's. It is listed, rotated and revoked as API keys
    are: with `key list`, `key rotate` and `key revoke`. Addresses are answered while
    FLOWPULSE_COMPATIBILITY is 1.

    \b
      UUID=$(.venv/bin/flask --app wsgi address create nightly-backup)
      curl -fsS -m 10 --retry 5 https://flowpulse.example.org/ping/$UUID
    """
    found = _find_workflow(workspace.id, workflow) if workflow else None
    made, secret = create_address(workspace.id, found, bring)
    if as_json:
        click.echo(dump({"secret": secret, "id": made.public_id, "name": made.name}))
        return
    click.echo(secret)
    click.echo(f"This is the address {escape(made.name)}. It is shown only now.", err=True)
    if not current_app.config["FLOWPULSE_COMPATIBILITY"]:
        click.echo("It works once FLOWPULSE_COMPATIBILITY=1 is set.", err=True)


def _find_workflow(workspace_id: int, slug_or_id: str) -> Workflow:
    named = or_(Workflow.slug == slug_or_id, Workflow.public_id == slug_or_id)
    found = db.session.scalar(select(Workflow).where(Workflow.workspace_id == workspace_id, named))
    if found is None:
        raise click.ClickException(f"No workflow has the slug or id {escape(slug_or_id)}.")
    return found

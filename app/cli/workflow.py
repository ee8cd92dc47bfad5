"""`workflow`: the automations whose runs are reported."""

import click
from sqlalchemy import select

from app.cli.commands import Group
from app.cli.options import json_option, workspace_option
from app.cli.text import Row, print_row, print_rows
from app.extensions import db
from app.models import Workflow, Workspace
from app.workspaces.workflows import create_workflow

COLUMNS = ("id", "slug", "name")


@click.group("workflow", cls=Group, help="The automations whose runs are reported.")
def workflow() -> None: ...


@workflow.command("create")
@click.argument("name")
@click.option("--slug", help="Short name for requests. Made from the name if not given.")
@workspace_option
@json_option
def create(name: str, slug: str | None, workspace: Workspace, as_json: bool) -> None:
    """Make a workflow, and print id, slug and name with a tab between each two."""
    made = create_workflow(workspace.id, name, slug)
    print_row(_describe(made), as_json, COLUMNS)


@workflow.command("list")
@click.option("--archived", is_flag=True, help="List those that are archived, too.")
@workspace_option
@json_option
def list_(archived: bool, workspace: Workspace, as_json: bool) -> None:
    """List the workflows of a workspace."""
    wanted = select(Workflow).where(Workflow.workspace_id == workspace.id).order_by(Workflow.id)
    if not archived:
        wanted = wanted.where(Workflow.archived_at.is_(None))
    rows = [_describe(each) for each in db.session.scalars(wanted)]
    print_rows(rows, as_json, (*COLUMNS, *(["archived_at"] if archived else [])))


def _describe(workflow: Workflow) -> Row:
    return {
        "id": workflow.public_id,
        "slug": workflow.slug,
        "name": workflow.name,
        "created_at": workflow.created_at,
        "archived_at": workflow.archived_at,
        "is_demo": workflow.is_demo,
    }

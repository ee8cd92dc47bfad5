"""Workflows: the list, and each one's page with its ids, runs and events."""

from collections.abc import Sequence
from typing import NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.console.event_search import load_events
from app.console.guards import current_workspace
from app.extensions import db
from app.models import Event, Run, Workflow
from app.workspaces.people import RefusedError
from app.workspaces.workflows import (
    archive_workflow,
    create_workflow,
    rename_workflow,
    restore_workflow,
)

LATEST = 10

blueprint = Blueprint("workflows", __name__)


class Listed(NamedTuple):
    """A workflow and the run that ended last."""

    workflow: Workflow
    last_run: Run | None


@blueprint.get("/workflows")
def show_workflows() -> str:
    return _show_list({})


@blueprint.post("/workflows")
def add_workflow() -> ResponseReturnValue:
    name, slug = request.form.get("name", ""), request.form.get("slug", "").strip()
    try:
        workflow = create_workflow(current_workspace().id, name, slug or None)
    except RefusedError as error:
        return _show_list({error.field: [str(error)]}), 422
    flash(f"Workflow “{workflow.name}” was created.", "success")
    return redirect(_address(workflow), 303)


@blueprint.get("/workflows/<public_id:public_id>")
def show_workflow(public_id: str) -> str:
    return _show_one(find_workflow(public_id), {})


@blueprint.post("/workflows/<public_id:public_id>")
def rename(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    try:
        rename_workflow(workflow, request.form.get("name", ""), request.form.get("slug", ""))
    except RefusedError as error:
        return _show_one(workflow, {error.field: [str(error)]}), 422
    flash("The workflow was renamed.", "success")
    return redirect(_address(workflow), 303)


@blueprint.post("/workflows/<public_id:public_id>/archive")
def archive(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    archive_workflow(workflow)
    flash(f"Workflow “{workflow.name}” is archived: its events are refused.", "success")
    return redirect(_address(workflow), 303)


@blueprint.post("/workflows/<public_id:public_id>/restore")
def restore(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    restore_workflow(workflow)
    flash(f"Workflow “{workflow.name}” takes events again.", "success")
    return redirect(_address(workflow), 303)


def find_workflow(public_id: str) -> Workflow:
    """The workflow of the user's workspace; 404 for any other."""
    workflow = db.session.scalar(
        select(Workflow).where(
            Workflow.public_id == public_id, Workflow.workspace_id == current_workspace().id
        )
    )
    if workflow is None:
        abort(404, "There is no such workflow in this workspace.")
    return workflow


def list_workflows(workspace_id: int) -> list[Listed]:
    """Those in use by name, then the archived ones; one index look-up finds each last run."""
    each_run = aliased(Run)
    last_run = (
        select(each_run.id)
        .where(each_run.workflow_id == Workflow.id)
        .order_by(each_run.ended_at.desc(), each_run.id.desc())
        .limit(1)
        .correlate(Workflow)
        .scalar_subquery()
    )
    query = (
        select(Workflow, Run)
        .outerjoin(Run, Run.id == last_run)
        .where(Workflow.workspace_id == workspace_id)
        .order_by(Workflow.archived_at.is_not(None), Workflow.name)
    )
    return [Listed(*row) for row in db.session.execute(query)]


def latest_runs(workflow: Workflow) -> Sequence[Run]:
    query = select(Run).where(Run.workflow_id == workflow.id)
    return db.session.scalars(
        query.order_by(Run.ended_at.desc(), Run.id.desc()).limit(LATEST)
    ).all()


def latest_events(workflow: Workflow) -> list[Event]:
    query = select(Event.id).where(Event.workflow_id == workflow.id)
    return load_events(db.session.scalars(query.order_by(Event.id.desc()).limit(LATEST)).all())


def _show_list(errors: dict[str, list[str]]) -> str:
    return render_template(
        "console/workflows.html",
        listed=list_workflows(current_workspace().id),
        form=request.form,
        errors=errors,
    )


def _show_one(workflow: Workflow, errors: dict[str, list[str]]) -> str:
    form = request.form if errors else {"name": workflow.name, "slug": workflow.slug}
    return render_template(
        "console/workflow.html",
        workflow=workflow,
        runs=latest_runs(workflow),
        events=latest_events(workflow),
        form=form,
        errors=errors,
    )


def _address(workflow: Workflow) -> str:
    return url_for("workflows.show_workflow", public_id=workflow.public_id)

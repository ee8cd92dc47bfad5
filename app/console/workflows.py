"""Workflows: the list, and each one's page with its ids, runs and events."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.clock import now
from app.console.alert_rules import list_rules_of
from app.console.alerts import list_of_workflow
from app.console.formatting import date
from app.console.guards import current_workspace
from app.console.paging import read_page
from app.console.schedules import describe_watch, list_open_runs
from app.console.test_events import TESTS
from app.console.workflow_history import (
    MOST_REFUSED,
    count_refused,
    latest_events,
    latest_runs,
    list_former_uses,
)
from app.console.workflow_list import PAGE_SIZE, find_workflow, load_workflows, search_workflows
from app.models import FORMER_SLUG_LIFETIME, Workflow
from app.workspaces.labels import list_labels
from app.workspaces.people import RefusedError
from app.workspaces.workflows import (
    archive_workflow,
    create_workflow,
    rename_workflow,
    restore_workflow,
)

SEARCHED_FROM = 10
"""The list has a search box when it is longer."""

blueprint = Blueprint("workflows", __name__)


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
    old_slug = workflow.slug
    try:
        rename_workflow(workflow, request.form.get("name", ""), request.form.get("slug", ""))
    except RefusedError as error:
        return _show_one(workflow, {error.field: [str(error)]}), 422
    kept = f" The slug {old_slug} works until {_former_until()}." * (workflow.slug != old_slug)
    flash(f"The workflow was renamed.{kept}", "success")
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


def _show_list(errors: dict[str, list[str]]) -> str:
    text, page = request.args.get("q", "").strip()[:120], read_page()
    found = search_workflows(current_workspace().id, text)
    first = (page - 1) * PAGE_SIZE
    return render_template(
        "console/workflows.html",
        listed=load_workflows(found.active[first : first + PAGE_SIZE]),
        archived=load_workflows(found.archived[:PAGE_SIZE]),
        found=found,
        text=text,
        has_search=found.total > SEARCHED_FROM,
        previous=page - 1,
        next=page + 1 if len(found.active) > first + PAGE_SIZE else 0,
        form=request.form,
        errors=errors,
    )


def _show_one(workflow: Workflow, errors: dict[str, list[str]]) -> str:
    form = request.form if errors else {"name": workflow.name, "slug": workflow.slug}
    archived_at = workflow.archived_at
    return render_template(
        "console/workflow.html",
        workflow=workflow,
        runs=latest_runs(workflow),
        events=latest_events(workflow),
        former_uses=list_former_uses(workflow),
        former_until=_former_until(),
        refused=count_refused(workflow, archived_at) if archived_at else 0,
        most_refused=MOST_REFUSED,
        tests=TESTS.values(),
        alerts=list_of_workflow(workflow),
        rules=list_rules_of(workflow),
        labels=list_labels(workflow),
        open_runs=list_open_runs(workflow),
        **describe_watch(workflow),
        form=form,
        errors=errors,
    )


def _former_until() -> str:
    """The day until which a slug that is given up now works."""
    return date(now() + FORMER_SLUG_LIFETIME)


def _address(workflow: Workflow) -> str:
    return url_for("workflows.show_workflow", public_id=workflow.public_id)

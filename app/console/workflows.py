"""Workflows: the list, and each one's page with its ids, runs and events."""

from flask import (
    Blueprint,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from app.console.alert_rules import list_rules_of
from app.console.alerts import list_of_workflow
from app.console.guards import current_workspace, may
from app.console.insight_view import LEGEND, Insights, look_at_workflow
from app.console.insights import range_url
from app.console.kept import kept_runs_of_workflow
from app.console.paging import Paged
from app.console.ranges import read_range
from app.console.run_list import latest_runs
from app.console.schedules import describe_watch, list_open_runs
from app.console.test_kinds import GROUPS
from app.console.workflow_health import look_at
from app.console.workflow_history import (
    LATEST_RUNS,
    MOST_REFUSED,
    count_refused,
    is_awaiting_test,
    latest_events,
    list_former_uses,
)
from app.console.workflow_list import (
    ARCHIVED_SIZE,
    MAX_QUERY,
    PAGE_SIZE,
    find_workflow,
    load_workflows,
    search_workflows,
)
from app.links import public_url_for
from app.models import FORMER_SLUG_LIFETIME, Workflow
from app.workspaces.labels import list_labels
from app.workspaces.people import RefusedError
from app.workspaces.report_addresses import list_addresses
from app.workspaces.workflows import (
    archive_workflow,
    create_workflow,
    rename_workflow,
    restore_workflow,
)

FORMER_DAYS = FORMER_SLUG_LIFETIME.days
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
        return _show_list(error.errors), 422
    return _answer(workflow, f"Workflow “{workflow.name}” was created.")


@blueprint.get("/workflows/<public_id:public_id>")
def show_workflow(public_id: str) -> str:
    return show_one(find_workflow(public_id), {})


@blueprint.post("/workflows/<public_id:public_id>")
def rename(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    old_slug = workflow.slug
    try:
        rename_workflow(workflow, request.form.get("name", ""), request.form.get("slug", ""))
    except RefusedError as error:
        return show_one(workflow, error.errors), 422
    kept = f" The slug {old_slug} works for {FORMER_DAYS} more days." * (workflow.slug != old_slug)
    return _answer(workflow, f"The workflow was renamed.{kept}")


@blueprint.post("/workflows/<public_id:public_id>/archive")
def archive(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    archive_workflow(workflow)
    return _answer(workflow, f"Workflow “{workflow.name}” is archived: its events are refused.")


@blueprint.post("/workflows/<public_id:public_id>/restore")
def restore(public_id: str) -> ResponseReturnValue:
    workflow = find_workflow(public_id)
    restore_workflow(workflow)
    return _answer(workflow, f"Workflow “{workflow.name}” takes events again.")


def _answer(workflow: Workflow, text: str) -> ResponseReturnValue:
    """The workflow's page, with the message."""
    flash(text, "success")
    return redirect(url_for("workflows.show_workflow", public_id=workflow.public_id), 303)


def _show_list(errors: dict[str, list[str]]) -> str:
    text = request.args.get("q", "").strip()[:MAX_QUERY]
    workspace_id, endpoint = current_workspace().id, "workflows.show_workflows"
    found = search_workflows(workspace_id, text)
    in_use = Paged(len(found.active), PAGE_SIZE, endpoint, kept=("q", "archived"))
    archived = Paged(len(found.archived), ARCHIVED_SIZE, endpoint, "archived", kept=("q", "page"))
    return render_template(
        "console/workflows.html",
        listed=load_workflows(workspace_id, found.active[in_use.part]),
        archived=load_workflows(workspace_id, found.archived[archived.part]),
        in_use_pages=in_use,
        archived_pages=archived,
        found=found,
        text=text,
        max_query=MAX_QUERY,
        has_search=found.total > SEARCHED_FROM,
        form=request.form,
        errors=errors,
    )


def show_one(workflow: Workflow, errors: dict[str, list[str]]) -> str:
    """The page; `errors` are those of the form that was sent, whose values stay."""
    saved = {"name": workflow.name, "slug": workflow.slug, "run_url": workflow.run_url}
    form = {**saved, **request.form} if errors else saved
    insights = look_at_workflow(workflow.id, read_range(request.args.get("range")))
    archived_at, events = workflow.archived_at, latest_events(workflow)
    return render_template(
        "console/workflow.html",
        workflow=workflow,
        health=look_at(workflow.workspace_id, [workflow])[0],
        insights=insights,
        levels=LEGEND,
        range_url=range_url(
            "workflows.show_workflow", public_id=workflow.public_id, _anchor="insights"
        ),
        outliers_href=_outliers_href(workflow, insights),
        badge_url=_badge_url(workflow),
        addresses=list_addresses(workflow) if may("member") else (),
        are_addresses_answered=current_app.config["FLOWPULSE_COMPATIBILITY"],
        runs=latest_runs(workflow.id, LATEST_RUNS),
        kept=kept_runs_of_workflow(),
        events=events,
        is_awaiting_test=is_awaiting_test(events),
        former_uses=list_former_uses(workflow),
        former_days=FORMER_DAYS,
        refused=count_refused(workflow, archived_at) if archived_at else 0,
        most_refused=MOST_REFUSED,
        test_groups=GROUPS,
        alerts=list_of_workflow(workflow),
        rules=list_rules_of(workflow),
        labels=list_labels(workflow),
        open_runs=list_open_runs(workflow),
        **describe_watch(workflow),
        form=form,
        errors=errors,
    )


def _outliers_href(workflow: Workflow, insights: Insights) -> str | None:
    """The list of the runs that took too long."""
    if insights.outliers is None or insights.outliers.limit_ms is None:
        return None
    seconds = f"{insights.outliers.limit_ms / 1_000:.3f}"
    since = insights.start.isoformat(timespec="minutes")
    return url_for("runs.show_runs", workflow=workflow.public_id, longer=seconds, since=since)


def _badge_url(workflow: Workflow) -> str | None:
    """The badge's address without its ending; only for those who may switch it off."""
    if workflow.badge_token is None or not may("member"):
        return None
    address = public_url_for("badges.show_svg", token=workflow.badge_token)
    return address.removesuffix(".svg")

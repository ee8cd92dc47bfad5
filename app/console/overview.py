"""The overview: what needs attention, and how each workflow is doing."""

from typing import Any, NamedTuple

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select

from app.clock import now
from app.console.attention import list_lines
from app.console.attention_lines import Situation
from app.console.formatting import plural
from app.console.guards import current_workspace, visible_workspace_ids
from app.console.open_problems import RECENT, Group, Scope, count_unstored, list_groups
from app.console.paging import Paged
from app.console.wizard import Choice, describe_wizard
from app.console.worker_trouble import find_worker_trouble
from app.console.workflow_health import count_outcomes, list_health, load_strips
from app.extensions import db
from app.models import Event, Run, Workflow
from app.processing.dead_letters import retry_dead_letters

PAGE_SIZE = 20

blueprint = Blueprint("overview", __name__)


class Progress(NamedTuple):
    """What a workspace begins with: the newest workflow in use (its slug), and an event."""

    slug: str | None
    has_event: bool


class Counts(NamedTuple):
    """What happened in the last 24 h."""

    runs: int
    failures: int
    refused: int


@blueprint.get("/")
def show_overview() -> str:
    progress = find_progress(current_workspace().id)
    if progress.slug and progress.has_event:
        return render_template("console/overview.html", **_look())
    return render_template("console/first_steps.html", **describe_wizard(Choice()), **_look())


@blueprint.get("/overview")
def show_fragment() -> str:
    """What the page shows, to be put in its place every few seconds."""
    return render_template("console/_overview.html", **_look())


@blueprint.post("/retry-failed")
def retry_failed() -> ResponseReturnValue:
    count = retry_dead_letters(current_workspace().id)
    flash(f"Back in the queue: {plural(count, 'event')}.", "success" if count else "message")
    return redirect(url_for("overview.show_overview"), 303)


def _look() -> dict[str, Any]:
    """All that the page and its fragment show."""
    workspace_id, scope = current_workspace().id, visible_workspace_ids()
    health, left_out = list_health(workspace_id)
    paged = Paged(len(health), PAGE_SIZE, "overview.show_overview", anchor="workflows")
    shown = health[paged.part]
    load_strips(shown)
    groups = list_groups(scope, workspace_id)
    lines = list_lines(Situation(workspace_id, scope, health, groups, find_worker_trouble()))
    return {
        "lines": lines,
        "counts": count_day(workspace_id, scope, groups),
        "health": health,
        "shown": shown,
        "paged": paged,
        "left_out": left_out,
        "last_run_at": max((each.last.ended_at for each in health if each.last), default=None),
    }


def count_day(workspace_id: int, scope: Scope, groups: list[Group]) -> Counts:
    """Runs that ended in the last 24 h, and requests that were refused and not mended since."""
    outcomes = count_outcomes(workspace_id, now() - RECENT).values()
    refused = sum(group.recent for group in groups) + sum(count_unstored(scope).values())
    failures = sum(failed for _, failed in outcomes)
    return Counts(sum(succeeded for succeeded, _ in outcomes) + failures, failures, refused)


def find_progress(workspace_id: int) -> Progress:
    return Progress(
        first_slug(workspace_id),
        # Runs first: they need no look past thousands of refused requests.
        _exists(Run.workspace_id == workspace_id)
        or _exists(Event.workspace_id == workspace_id, Event.state != "rejected"),
    )


def first_slug(workspace_id: int) -> str | None:
    """The slug to show in examples: that of the newest workflow in use."""
    newest = (
        select(Workflow.slug)
        .where(Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None))
        .order_by(Workflow.id.desc())
    )
    return db.session.scalar(newest.limit(1))


def _exists(*conditions: ColumnElement[bool]) -> bool:
    return db.session.scalar(select(1).where(*conditions).limit(1)) is not None

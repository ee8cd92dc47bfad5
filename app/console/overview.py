"""The start: what is still to be done in a new workspace, then the live log."""

from typing import NamedTuple

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, func, select

from app.clock import now
from app.console.guards import current_workspace
from app.extensions import db
from app.models import ApiKey, Event, WorkerHeartbeat, Workflow
from app.processing.inbox import waiting_since
from app.processing.worker import STALLED_AFTER

blueprint = Blueprint("overview", __name__)


class Progress(NamedTuple):
    """The steps of a new workspace: the first workflow (by its slug), key, and event."""

    slug: str | None
    has_key: bool
    has_event: bool


@blueprint.get("/")
def show_overview() -> ResponseReturnValue:
    progress = find_progress(current_workspace().id)
    if all(progress):
        return redirect(url_for("live_log.show_events"))
    return render_template(
        "console/overview.html", progress=progress, worker_stands_still=worker_stands_still()
    )


def find_progress(workspace_id: int) -> Progress:
    return Progress(
        first_slug(workspace_id),
        _exists(ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)),
        _exists(Event.workspace_id == workspace_id, Event.state != "rejected"),
    )


def first_slug(workspace_id: int) -> str | None:
    """The slug to show in examples: that of the newest workflow in use."""
    newest = (
        select(Workflow.slug)
        .where(Workflow.workspace_id == workspace_id, Workflow.archived_at.is_(None))
        .order_by(Workflow.id.desc())
    )
    return db.session.scalar(newest.limit(1))


def worker_stands_still() -> bool:
    """Whether no worker has been seen of late, or what was accepted has waited for too long."""
    seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    due_at = waiting_since(db.session())
    limit = now() - STALLED_AFTER
    return seen_at is None or seen_at < limit or (due_at is not None and due_at < limit)


def _exists(*conditions: ColumnElement[bool]) -> bool:
    return db.session.scalar(select(1).where(*conditions).limit(1)) is not None

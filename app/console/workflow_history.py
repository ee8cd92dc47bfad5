"""What a workflow's page tells of its past: runs, events, old slugs, and what was refused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from app.clock import now
from app.console.event_search import load_events
from app.console.refused import NEWEST, newest_refused_ids
from app.extensions import db
from app.models import Event, FormerSlug, Workflow
from app.workspaces.workflows import list_former_slugs

LATEST_RUNS, LATEST_EVENTS = 7, 5
LOOKED_AT = 1_000
"""The newest events among which the users of a former slug are looked for."""
MOST_REFUSED = 1_000
AWAITED = timedelta(seconds=15)


class FormerUse(NamedTuple):
    """A slug that the workflow had, how many of the newest events used it, and the last of them."""

    former: FormerSlug
    uses: int
    last: Event | None


def latest_events(workflow: Workflow) -> list[Event]:
    """Those that were taken, and the refused ones that name the workflow."""
    taken = select(Event.id).where(Event.workflow_id == workflow.id)
    ids = list(db.session.scalars(taken.order_by(Event.id.desc()).limit(LATEST_EVENTS)))
    refused = newest_refused_ids(
        NEWEST.workspace_id == workflow.workspace_id,
        NEWEST.reference.in_(list_references(workflow)),
        limit=LATEST_EVENTS,
    )
    return load_events(sorted(ids + refused, reverse=True)[:LATEST_EVENTS])


def is_awaiting_test(events: Sequence[Event]) -> bool:
    """Whether a test that was just sent is yet to become a run; soon no more, if none works."""
    since = now() - AWAITED
    return any(
        each.origin == "test" and each.state == "accepted" and each.received_at > since
        for each in events
    )


def list_references(workflow: Workflow) -> list[str]:
    """All that requests may call it."""
    former = [each.slug for each in list_former_slugs(workflow)]
    return [workflow.public_id, workflow.slug, workflow.name, *former]


def count_refused(workflow: Workflow, archived_at: datetime) -> int:
    """How many requests were refused since it was archived, up to MOST_REFUSED."""
    ids = newest_refused_ids(
        NEWEST.workspace_id == workflow.workspace_id,
        NEWEST.code == "workflow_archived",
        NEWEST.reference.in_(list_references(workflow)),
        NEWEST.received_at >= archived_at,
        limit=MOST_REFUSED,
    )
    return len(ids)


def list_former_uses(workflow: Workflow) -> list[FormerUse]:
    """The slugs that still work, and who still uses them, as far as the newest events tell."""
    formers = list_former_slugs(workflow)
    events = _with_former_slug(workflow) if formers else {}
    return [
        FormerUse(former, len(ids), load_events(ids[:1])[0] if ids else None)
        for former in formers
        for ids in [events.get(former.slug, [])]
    ]


def _with_former_slug(workflow: Workflow) -> dict[str, list[int]]:
    """Ids of events by the former slug that they used, the newest first."""
    newest = select(Event.id, Event.warnings).where(Event.workflow_id == workflow.id)
    newest_first = newest.order_by(Event.id.desc()).limit(LOOKED_AT).subquery().c
    query = select(newest_first.id, newest_first.warnings)
    query = query.where(newest_first.warnings.is_not(None)).order_by(newest_first.id.desc())
    found: dict[str, list[int]] = {}
    for event_id, warnings in db.session.execute(query):
        for warning in warnings or []:
            if warning.get("code") == "former_slug":
                found.setdefault(str(warning.get("received")), []).append(event_id)
    return found

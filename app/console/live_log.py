"""The live log: every request to the API, newest first."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from app.clock import now
from app.console.guards import current_workspace, visible_workspace_ids
from app.console.overview import first_slug, worker_stands_still
from app.console.signs import show_signs
from app.extensions import db
from app.models import STATES, Event, Run, UnstoredCount
from app.problems import PROBLEMS

PAGE_SIZE = 50
UNSTORED_WINDOW = timedelta(hours=24)
_MAX_ID = 2**63 - 1
_MAX_TEXT = 300

blueprint = Blueprint("live_log", __name__)


class Summary(NamedTuple):
    """What an event says, in a few words, and in a sentence below them."""

    title: str
    text: str = ""


class Page(NamedTuple):
    """Events, newest first, and the ids from which its neighbours go on."""

    events: list[Event]
    newer: int | None
    older: int | None


@blueprint.get("/events")
def show_events() -> str:
    state = _read_choice("state", STATES)
    before, after = _read_id("before"), _read_id("after")
    scope = visible_workspace_ids()
    page = find_page(scope, state, before, after)
    return render_template(
        "console/live_log.html",
        page=page,
        state=state,
        states=STATES,
        is_live=state is None and page.newer is None,
        slug=first_slug(current_workspace().id),
        unstored=count_unstored(scope),
        worker_stands_still=worker_stands_still(),
        page_url=_page_url,
    )


def find_page(
    scope: Sequence[int | None], state: str | None, before: int | None, after: int | None = None
) -> Page:
    """The page of events older than `before`, or the one just newer than `after`."""
    if after is not None:
        ids = list_ids(scope, state, PAGE_SIZE + 1, after=after)
        if len(ids) > PAGE_SIZE:
            shown = ids[1:]
            return Page(load_events(shown), newer=shown[0], older=shown[-1])
    ids = list_ids(scope, state, PAGE_SIZE + 1, before=before)
    shown = ids[:PAGE_SIZE]
    newer = shown[0] if shown and before is not None else None
    return Page(load_events(shown), newer, older=shown[-1] if len(ids) > PAGE_SIZE else None)


def list_ids(
    scope: Sequence[int | None],
    state: str | None,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> list[int]:
    """The ids nearest to the newest (or to `after`), merged over the workspaces in `scope`,
    newest first; each query runs along one index."""
    order = Event.id.desc() if after is None else Event.id.asc()
    ids: list[int] = []
    for workspace_id in scope:
        query = select(Event.id).where(Event.workspace_id == workspace_id)
        if state is not None:
            query = query.where(Event.state == state)
        if before is not None:
            query = query.where(Event.id < before)
        if after is not None:
            query = query.where(Event.id > after)
        ids += db.session.scalars(query.order_by(order).limit(limit))
    nearest = sorted(ids, reverse=after is None)[:limit]
    return sorted(nearest, reverse=True)


def load_events(ids: Sequence[int]) -> list[Event]:
    """The events with all that a row shows, newest first."""
    query = (
        select(Event)
        .where(Event.id.in_(ids))
        .options(
            joinedload(Event.workflow),
            joinedload(Event.api_key),
            joinedload(Event.run).defer(Run.details),
        )
    )
    return list(db.session.scalars(query.order_by(Event.id.desc())))


def count_unstored(scope: Sequence[int | None]) -> int:
    """Refused requests of the last 24 h that were counted and not stored."""
    mine = [UnstoredCount.workspace_id == each for each in scope]
    count = db.session.scalar(
        select(func.sum(UnstoredCount.count)).where(
            UnstoredCount.minute_at >= now() - UNSTORED_WINDOW, or_(*mine)
        )
    )
    return int(count or 0)


def summarise(event: Event) -> Summary:
    """What a row says about an event; one registry line a state."""
    title, text = _SUMMARIES[event.state](event)
    return Summary(show_signs(title[:_MAX_TEXT]), show_signs(text[:_MAX_TEXT]))


def _of_accepted(event: Event) -> Summary:
    return Summary("Trying again", event.failure) if event.failure else _of_warnings(event)


def _of_processed(event: Event) -> Summary:
    run = event.run
    if run is None or event.kind == "run-success":
        return _of_warnings(event)
    if run.outcome == "failure":
        return Summary(run.error_message or "", run.error_type or "")
    return Summary("Decided by another event", "One that ended later told that the run succeeded.")


def _of_failed(event: Event) -> Summary:
    return Summary(PROBLEMS["processing_failed"].title, event.failure or "")


def _of_rejected(event: Event) -> Summary:
    problem = PROBLEMS.get(event.code or "")
    messages = [str(error.get("message", "")) for error in event.errors or []]
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    text = messages[0] + more if messages else event.detail or ""
    return Summary(problem.title if problem else event.code or "Refused", text)


def _of_warnings(event: Event) -> Summary:
    messages = [str(warning.get("message", "")) for warning in event.warnings or []]
    if not messages:
        return Summary("")
    return Summary("1 warning" if len(messages) == 1 else f"{len(messages)} warnings", messages[0])


_SUMMARIES: dict[str, Callable[[Event], Summary]] = {
    "accepted": _of_accepted,
    "processed": _of_processed,
    "failed": _of_failed,
    "rejected": _of_rejected,
}


def _page_url(**changes: Any) -> str:
    """The list's own address with these parameters; None leaves one out."""
    return url_for("live_log.show_events", **changes)


def _read_choice(name: str, choices: Sequence[str]) -> str | None:
    value = request.args.get(name)
    return value if value in choices else None


def _read_id(name: str) -> int | None:
    text = request.args.get(name, "")
    is_id = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_ID))
    return min(int(text), _MAX_ID) if is_id else None

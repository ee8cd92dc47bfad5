"""The live log: every request to the API that fits the filter, newest first."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, or_, select

from app.clock import now
from app.console.event_bounds import newest_id
from app.console.event_filter import EventFilter, read_filter
from app.console.event_pages import MAX_ID, Page, Place, find_page, read_id, read_shown
from app.console.filter_choices import list_choices
from app.console.guards import current_workspace, visible_workspace_ids
from app.console.hidden import sift
from app.console.kept import kept_events
from app.console.overview import first_slug
from app.console.places import PlaceReader
from app.console.url_filter import LIMITS, lead_to_short_address, list_texts
from app.console.worker_trouble import find_worker_trouble
from app.extensions import db
from app.models import Event, UnstoredCount, of_state

UNSTORED_WINDOW = timedelta(hours=24)
WAITING_LOOKBACK = 20_000
"""How many ids back a filtered stream looks for events that still wait for the worker."""
PLACES = ("before", "after", "shown", "event")
"""Parameters that tell where the page begins, and which event is open beside it."""
_PUBLIC_ID = re.compile("[a-z0-9]{24}")

blueprint = Blueprint("live_log", __name__)


@blueprint.get("/events")
def show_events() -> ResponseReturnValue:
    if short := lead_to_short_address():
        return short
    workspace, scope = current_workspace(), visible_workspace_ids()
    wanted = sift(read_filter(request.args, workspace.id))
    if any(request.args[part.name] != part.text for part in wanted.parts if part.name in LIMITS):
        others = {name: list_texts(request.args, name) for name in PLACES}
        return redirect(page_url(wanted)(**others))  # With the offset, for whoever it is given to.
    place, asked, unreadable = _read_place()
    start, is_wrong = newest_id(), bool(wanted.errors or unreadable)
    page = Page([]) if is_wrong else find_page(scope, wanted, place)
    opened = _find_opened(asked or "", scope)
    is_live = not is_wrong and page.newer is None and wanted.reaches(now())
    return render_template(
        "console/live_log.html",
        page=page,
        wanted=wanted,
        unreadable=unreadable,
        choices=list_choices(workspace.id, wanted),
        stream_url=_stream_url(wanted, page, start) if is_live else None,
        searched_to=_moment_of(page.stopped_at, scope),
        kept=kept_events(scope, wanted.value("state")),
        opened=opened,
        missing=None if opened else asked,
        slug=first_slug(workspace.id),
        unstored=count_unstored(scope),
        worker_trouble=find_worker_trouble(),
        page_url=page_url(wanted),
    ), 422 if is_wrong else 200


def _read_place() -> tuple[Place, str | None, dict[str, str]]:
    """Where the page begins, the id of the event beside it, and what of both can't be read."""
    reader, number = PlaceReader(), "the number of an event"
    place = Place(
        reader.read("before", read_id, number),
        reader.read("after", read_id, number),
        reader.read("shown", read_shown, "numbers of events with commas between them") or (),
    )
    return place, reader.read("event", str, "an event's id"), reader.mistakes


def _stream_url(wanted: EventFilter, page: Page, start: int) -> str:
    """Where the page's stream goes on: behind its newest row, or further back, where what waits
    for the worker may still come to fit."""
    if not wanted:
        start = page.events[0].id if page.events else 0
    elif wanted.may_come_true:
        start = max(min(start, _oldest_waiting() - 1), start - WAITING_LOOKBACK, 0)
    values: dict[str, Any] = {"after": start, **wanted.texts}
    return url_for("live_log.stream_events", **values)


def _oldest_waiting() -> int:
    """Of the queue's first events, by its own index; no page could follow a longer queue."""
    waiting = select(Event.id).where(of_state("accepted")).limit(WAITING_LOOKBACK).subquery()
    return db.session.scalar(select(func.min(waiting.c.id))) or MAX_ID


def _moment_of(event_id: int | None, scope: Sequence[int | None]) -> datetime | None:
    """When the event at this id, or the next after it, came."""
    if event_id is None:
        return None
    found = [
        db.session.execute(
            select(Event.id, Event.received_at)
            .where(Event.workspace_id == each, Event.id >= event_id)
            .order_by(Event.id)
            .limit(1)
        ).first()
        for each in scope
    ]
    nearest = min(((row.id, row.received_at) for row in found if row is not None), default=None)
    return nearest[1] if nearest else None


def count_unstored(scope: Sequence[int | None]) -> int:
    """Refused requests of the last 24 h that were counted and not stored."""
    mine = [UnstoredCount.workspace_id == each for each in scope]
    count = db.session.scalar(
        select(func.sum(UnstoredCount.count)).where(
            UnstoredCount.minute_at >= now() - UNSTORED_WINDOW, or_(*mine)
        )
    )
    return int(count or 0)


def page_url(wanted: EventFilter | None) -> Any:
    """Makes addresses of the list with these changes to the filter; None leaves a part out."""

    def address(**changes: Any) -> str:
        return url_for("live_log.show_events", **_changed(wanted.texts if wanted else {}, changes))

    return address


def _changed(texts: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in {**texts, **changes}.items() if each is not None}


def _find_opened(public_id: str, scope: Sequence[int | None]) -> str | None:
    """The id, where an event has it that the user may see."""
    if not _PUBLIC_ID.fullmatch(public_id):
        return None
    found = db.session.execute(
        select(Event.workspace_id).where(Event.public_id == public_id)
    ).first()
    return public_id if found and found.workspace_id in scope else None

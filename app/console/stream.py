"""The live log's stream: server-sent events that lose nothing and double nothing."""

import time
from collections.abc import Iterator, Sequence

from flask import Flask, Response, current_app, render_template, request, stream_with_context
from sqlalchemy import select

from app.console.guards import current_membership, signed_in_user, visible_workspace_ids
from app.console.live_log import blueprint, list_ids, load_events
from app.console.tail import Notice, Subscription, Tail, drain
from app.extensions import db
from app.models import Event, Membership
from app.workspaces.sessions import is_live

WAKE_SECONDS = 0.5
"""How soon an open stream notices that the server stops."""
CHECK_SECONDS = 5.0
"""How soon it notices that its session has ended, or that its reader left the workspace."""
BEAT_SECONDS = 15.0
MAX_BACKLOG = 500
"""Rows that a page is told of when it comes back; it shows no more than that anyway."""
_MAX_ID = 2**63 - 1
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def init_stream(app: Flask) -> None:
    """One follower of the log per process, however many pages are open."""
    app.extensions["flowpulse_tail"] = Tail(app, load_events)


@blueprint.get("/events/stream")
def stream_events() -> Response:
    """New rows from `Last-Event-ID` (or `?after=`) on, and changes of rows that were waiting."""
    start = _read_id(request.headers.get("Last-Event-ID") or request.args.get("after"))
    pending = _read_id(request.headers.get("X-Pending-From"))
    messages = _follow(start, pending, set(visible_workspace_ids()))
    return Response(
        stream_with_context(messages), content_type="text/event-stream", headers=_HEADERS
    )


def _read_id(text: str | None) -> int | None:
    if text and text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_ID)):
        return min(int(text), _MAX_ID)
    return None


def _follow(start: int | None, pending: int | None, scope: set[int | None]) -> Iterator[str]:
    tail = current_app.extensions["flowpulse_tail"]
    subscription = tail.subscribe()
    try:
        yield ": open\n\n"  # Sends the headers, so that the page knows that it is connected.
        yield from _catch_up(tail, subscription, start, pending, scope)
        yield from _keep_up(subscription, scope)
    finally:
        tail.unsubscribe(subscription)


def _catch_up(
    tail: Tail,
    subscription: Subscription,
    start: int | None,
    pending: int | None,
    scope: set[int | None],
) -> Iterator[str]:
    """What came between the page's newest row and the subscription; the oldest goes first."""
    ids: Sequence[int] = []
    if start is not None and start < subscription.position:
        newest = list_ids(list(scope), None, MAX_BACKLOG, subscription.position + 1)
        ids = [event_id for event_id in newest if event_id > start]
    missed = load_events(ids)
    shown = load_events(_list_waiting(pending, start, scope))
    db.session.remove()
    tail.watch([event.id for event in (*missed, *shown) if event.state == "accepted"])
    for event in reversed(missed):
        yield Notice(event, is_change=False).message(_render)
    for event in shown:
        if event.state != "accepted":
            yield Notice(event, is_change=True).message(_render)


def _list_waiting(pending: int | None, start: int | None, scope: set[int | None]) -> list[int]:
    """Rows that the page still shows as accepted; their state may have changed meanwhile."""
    if pending is None or start is None or pending > start:
        return []
    ids = list_ids(list(scope), None, MAX_BACKLOG, before=start + 1)
    return [event_id for event_id in ids if event_id >= pending]


def _keep_up(subscription: Subscription, scope: set[int | None]) -> Iterator[str]:
    may_go_on = _watch_over_access()
    beat_at = time.monotonic()
    while not subscription.has_lost and next(may_go_on):
        for notice in drain(subscription, WAKE_SECONDS):
            if notice.event.workspace_id in scope:
                yield notice.message(_render)
                beat_at = time.monotonic()
        if time.monotonic() - beat_at >= BEAT_SECONDS:
            beat_at = time.monotonic()
            yield ": beat\n\n"


def _watch_over_access() -> Iterator[bool]:
    """Whether the stream may go on: asked often, looked up every few seconds."""
    token, membership_id = str(signed_in_user().session_token), current_membership().id
    db.session.remove()
    is_stopping = current_app.extensions.get("flowpulse_stopping", lambda: False)
    checked_at, allowed = time.monotonic(), True
    while True:
        if time.monotonic() - checked_at >= CHECK_SECONDS:
            allowed = is_live(token) and _is_member(membership_id)
            db.session.remove()
            checked_at = time.monotonic()
        yield allowed and not is_stopping()


def _is_member(membership_id: int) -> bool:
    found = select(Membership.id).where(Membership.id == membership_id)
    return db.session.scalar(found) is not None


def _render(event: Event, is_change: bool) -> str:
    return render_template("console/_event_row.html", event=event, oob=is_change)

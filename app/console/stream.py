"""The live log's stream: server-sent events that lose nothing and double nothing."""

import time
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    render_template,
    request,
    stream_with_context,
)
from sqlalchemy import select

from app.console.event_filter import EventFilter, read_filter
from app.console.event_pages import MAX_ID, read_id
from app.console.event_search import list_ids, load_events, match, match_ids, search
from app.console.guards import (
    current_membership,
    current_workspace,
    signed_in_user,
    visible_workspace_ids,
)
from app.console.hidden import sift
from app.console.live_log import blueprint, page_url
from app.console.notices import Batch, Gap, Notice, Told, Wanted, cursor_of, tell_new
from app.console.tail import MAX_PENDING, Subscription, Tail, drain
from app.extensions import db
from app.models import Event, Membership, of_state
from app.workspaces.sessions import is_live

WAKE_SECONDS = 0.5
"""How soon an open stream notices that the server stops."""
CHECK_SECONDS = 5.0
"""How soon it notices that its session has ended, or that its reader left the workspace."""
BEAT_SECONDS = 5.0
"""What a page hears at least so often; it takes a stream that is silent for longer for dead."""
MAX_BACKLOG = 500
"""Rows that a page is told of when it comes back; it shows no more than that anyway."""
MOST_IN_ONE_WRITE = 50
_BEAT = f"event: beat\ndata: {BEAT_SECONDS:g}\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def init_stream(app: Flask) -> None:
    """One follower of the log per process, however many pages are open."""
    app.extensions["flowpulse_tail"] = Tail(app)


@blueprint.get("/events/stream")
def stream_events() -> Response:
    """New rows from `Last-Event-ID` (or `?after=`) on, and changes of rows that were waiting."""
    wanted = sift(read_filter(request.args, current_workspace().id))
    if wanted.errors:
        abort(400, "This filter can't be read.")
    start = read_id(request.headers.get("Last-Event-ID") or request.args.get("after"))
    pending = read_id(request.headers.get("X-Pending-From"))
    access = Access()
    reader = Reader(visible_workspace_ids(), wanted, start, pending, access.lasts)
    answer = stream_with_context(_follow(reader, access))
    return Response(answer, content_type="text/event-stream", headers=_HEADERS)


class EndedError(Exception):
    """The stream ends before all that was missed is told: the page will come back for it."""


def _is_stopping() -> bool:
    return bool(current_app.extensions.get("flowpulse_stopping", lambda: False)())


class Access:
    """Whether the stream may go on: asked often, looked up every few seconds."""

    def __init__(self) -> None:
        self._token, self._membership_id = signed_in_user().session_token, current_membership().id
        self._checked_at, self._is_allowed = time.monotonic(), True

    def lasts(self) -> bool:
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            return self.look_up()
        return self._is_allowed and not _is_stopping()

    def look_up(self) -> bool:
        """The same, by what the database says now."""
        self._is_allowed = is_live(str(self._token)) and _is_member(self._membership_id)
        db.session.remove()
        self._checked_at = time.monotonic()
        return self._is_allowed and not _is_stopping()


class Reader(NamedTuple):
    """What a page may see and wants to see, the newest row it has, and its oldest that waits."""

    scope: list[int | None]
    wanted: EventFilter
    start: int | None
    pending: int | None
    may_go_on: Callable[[], bool] = lambda: not _is_stopping()


def _follow(reader: Reader, access: Access) -> Iterator[bytes]:
    tail: Tail = current_app.extensions["flowpulse_tail"]
    subscription = tail.subscribe(reader.wanted, reader.scope)
    try:
        yield _BEAT.encode()  # And the headers, so that the page knows that it is connected.
        for text in catch_up(tail, subscription, reader):
            yield text.encode()
        # What has gathered meanwhile may be newer than the reader's leave to see it.
        if access.look_up():
            yield from _keep_up(subscription, access)
    except EndedError:
        return
    finally:
        tail.unsubscribe(subscription)


def catch_up(tail: Tail, subscription: Subscription, reader: Reader) -> Iterator[str]:
    """What came between the page's newest row and the subscription; the oldest goes first.

    Where very many pages come back at once, the newest rows, and how many were left out.
    """
    wanted = reader.wanted
    ids = yield from find_missed(subscription.position, reader)
    allowed = tail.take_missed(len(ids))
    left_out, missed = ids[allowed:], load_events(ids[:allowed])
    listed = _list_waiting(subscription.position, reader)
    shown = load_events([each for each in listed if each not in left_out])
    fitting = match(wanted, [event.id for event in shown]).ids
    waiting = {event.id for event in (*missed, *shown) if event.state == "accepted"}
    coming: set[int] = set()
    if wanted.may_come_true:
        accepted = _list_accepted(reader)
        coming = set(accepted) - match_ids(wanted, accepted) - waiting
    db.session.remove()
    tail.watch(subscription, sorted(waiting), sorted(coming))
    items: list[Told | Gap] = []
    if left_out:
        first, last, is_least = left_out[-1], left_out[0], len(ids) >= MAX_BACKLOG
        items.append(Gap(first, last, len(left_out), cursor_of(last, wanted), is_least))
    items += [tell_new(event, wanted) for event in reversed(missed)]
    items += [
        _tell_change(event, wanted, not wanted or event.id in fitting)
        for event in shown
        if event.state != "accepted"
    ]
    for start in range(0, len(items), MOST_IN_ONE_WRITE):
        if not reader.may_go_on():
            raise EndedError
        yield Batch(items[start : start + MOST_IN_ONE_WRITE], wanted).text(Templates())


def _tell_change(event: Event, wanted: EventFilter, fits: bool) -> Told:
    """Where rows may come late, what fits by now is put in its place; else it has its row already,
    or was counted with those that were left out."""
    if not fits:
        return Told(Notice(event), "gone")
    return Told(Notice(event), "new" if wanted.may_come_true else "changed")


def find_missed(position: int, reader: Reader) -> Generator[str, None, list[int]]:
    """The ids of the newest rows up to the position; what is to be sent while that takes long.

    Raises EndedError, and tells nothing by halves: the page would go on behind what it was told of.
    """
    scope, wanted, start = reader.scope, reader.wanted, reader.start
    if start is None or start >= position:
        return []
    if not wanted:
        return list_ids(scope, MAX_BACKLOG, before=position + 1, after=start)
    ids: list[int] = []
    before, beat_at = position + 1, time.monotonic()
    while True:
        found = search(scope, wanted, MAX_BACKLOG - len(ids), before, start, WAKE_SECONDS)
        ids += found.ids
        if found.stopped_at is None:
            return ids
        if not reader.may_go_on():
            raise EndedError
        before = found.stopped_at
        if time.monotonic() - beat_at >= BEAT_SECONDS:
            db.session.remove()
            yield _BEAT
            beat_at = time.monotonic()


def _list_waiting(position: int, reader: Reader) -> list[int]:
    """Rows that the page may still show as accepted; their state may have changed meanwhile."""
    scope, wanted, start, pending = reader[:4]
    if pending is None or start is None:
        return []
    high = position if wanted else min(start, position)
    lasting = wanted.lasting_conditions()
    return list_ids(scope, MAX_BACKLOG, lasting, before=high + 1, after=max(pending, 1) - 1)


def _list_accepted(reader: Reader) -> list[int]:
    """What waits for the worker and may come to fit."""
    conditions = [of_state("accepted"), *reader.wanted.lasting_conditions()]
    return list_ids(reader.scope, MAX_PENDING, conditions, MAX_ID, (reader.start or 1) - 1)


def _keep_up(subscription: Subscription, access: Access) -> Iterator[bytes]:
    """All that waits goes out as one write: each costs more than a row."""
    draw, beat_at = Templates(), time.monotonic()
    while not subscription.has_lost and access.lasts():
        waiting = b"".join([each.encoded(draw) for each in drain(subscription, WAKE_SECONDS)])
        if waiting:
            yield waiting
            beat_at = time.monotonic()
        if time.monotonic() - beat_at >= BEAT_SECONDS:
            beat_at = time.monotonic()
            yield _BEAT.encode()


def _is_member(membership_id: int) -> bool:
    found = select(Membership.id).where(Membership.id == membership_id)
    return db.session.scalar(found) is not None


class Templates:
    """Rows as the page has them."""

    def row(self, event: Event, replaces: bool) -> str:
        return render_template("console/_event_row.html", event=event, oob=replaces)

    def gap(self, gap: Gap, wanted: Wanted) -> str:
        address = page_url(wanted)(before=gap.last + 1)
        return render_template("console/_event_gap.html", gap=gap, address=address)

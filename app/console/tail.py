"""Follows the log for all open pages of a process at once."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import select

from app.console.event_bounds import newest_id
from app.console.event_filter import EventFilter
from app.console.event_search import load_events, match_ids
from app.extensions import db
from app.models import Event

POLL_SECONDS = 0.2
MAX_PENDING = 1_000
QUEUE_SIZE = 2_000
MOST_AT_ONCE = QUEUE_SIZE // 2


Wanted = EventFilter | None


@dataclass(slots=True, eq=False)
class Notice:
    """A new row, or the new state of an older one; rendered once for all who see it.

    A page without a filter replaces a changed row where it shows it. One with a filter is told of a
    row that fits as of a new one, which it puts in its place, and has the others taken away.
    """

    event: Event
    is_change: bool
    html: dict[bool, str] = field(default_factory=dict)

    def message(
        self, render: Callable[[Event, bool], str], wanted: Wanted = None, fits: bool = True
    ) -> str:
        if not fits:
            return frame(_TAKE_AWAY.format(self.event.public_id), None)
        replaces = self.is_change and not wanted
        if replaces not in self.html:
            self.html[replaces] = render(self.event, replaces)
        # Behind the cursor nothing is told again: a page whose rows may come late gets none.
        has_cursor = not self.is_change and not (wanted and wanted.may_come_true)
        return frame(self.html[replaces], self.event.id if has_cursor else None)


_TAKE_AWAY = '<tr id="event-{}" hx-swap-oob="delete"></tr>'


def frame(html: str, cursor: int | None) -> str:
    """A server-sent event; line breaks in the HTML can't end it or begin another."""
    head = f"id: {cursor}\n" if cursor is not None else ""
    return head + "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


@dataclass(slots=True, eq=False)
class Subscription:
    """What a page has still to be told; `has_lost` once it was too slow to take it all."""

    position: int
    wanted: Wanted = None
    notices: "queue.Queue[tuple[Notice, bool]]" = field(
        default_factory=lambda: queue.Queue(QUEUE_SIZE)
    )
    has_lost: bool = False


class Tail:
    """Follows the log by id and tells the open pages; asks nothing while none is open."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._subscriptions: set[Subscription] = set()
        self._lock = threading.Lock()
        self._position: int | None = None
        self._pending: dict[int, None] = {}
        self._thread: threading.Thread | None = None

    def subscribe(self, wanted: Wanted = None) -> Subscription:
        """From the returned position on, every row arrives; what is older, the caller reads."""
        with self._lock:
            if self._position is None:
                self._position = newest_id()
            subscription = Subscription(self._position, wanted or None)
            self._subscriptions.add(subscription)
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="tail", daemon=True)
                self._thread.start()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)

    def watch(self, event_ids: Sequence[int]) -> None:
        """Tell of these rows too, once they are no longer accepted."""
        for event_id in event_ids:
            self._pending[event_id] = None

    def _follow(self) -> None:
        pause, is_behind = threading.Event(), False
        while True:
            pause.wait(0 if is_behind else POLL_SECONDS)
            with self._lock:
                if not self._subscriptions:
                    self._thread = self._position = None
                    self._pending.clear()
                    return
            try:
                with self._app.app_context():
                    is_behind = self._poll()
            except Exception:
                is_behind = False
                self._app.logger.warning("The live log could not be read", exc_info=True)

    def _poll(self) -> bool:
        """Tell what is new; whether there is more than one look has read."""
        newer = select(Event.id).where(Event.id > self._position).order_by(Event.id)
        new_ids = list(db.session.scalars(newer.limit(MOST_AT_ONCE)))
        changed_ids = self._changed_ids()
        if not new_ids and not changed_ids:
            return False
        new, changed = load_events(new_ids), load_events(changed_ids)
        fitting = _Fitting([*new_ids, *changed_ids])
        fitting.look_up(subscription.wanted for subscription in list(self._subscriptions))
        with self._lock:
            for event in reversed(new):
                self._tell(Notice(event, is_change=False), fitting)
                self._position = event.id
                if event.state == "accepted":
                    self._pending[event.id] = None
            for event in changed:
                self._pending.pop(event.id, None)
                self._tell(Notice(event, is_change=True), fitting)
            for stale in list(self._pending)[:-MAX_PENDING]:
                del self._pending[stale]
        return len(new_ids) == MOST_AT_ONCE

    def _changed_ids(self) -> list[int]:
        if not self._pending:
            return []
        watched = Event.id.in_(list(self._pending))
        return list(db.session.scalars(select(Event.id).where(watched, Event.state != "accepted")))

    def _tell(self, notice: Notice, fitting: "_Fitting") -> None:
        for subscription in self._subscriptions:
            fits = fitting.has(subscription.wanted, notice.event.id)
            if not fits and not notice.is_change:
                continue
            try:
                subscription.notices.put_nowait((notice, fits))
            except queue.Full:
                subscription.has_lost = True


class _Fitting:
    """Which events of a batch fit which filter: asked once for each filter."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = ids
        self._fitting: dict[EventFilter, set[int]] = {}

    def look_up(self, filters: Iterable[Wanted]) -> None:
        for wanted in filters:
            if wanted is not None and wanted not in self._fitting:
                self._fitting[wanted] = match_ids(wanted, self._ids)

    def has(self, wanted: Wanted, event_id: int) -> bool:
        if wanted is None:
            return True
        self.look_up([wanted])  # Of a page that was opened just now.
        return event_id in self._fitting[wanted]


def drain(subscription: Subscription, seconds: float) -> Iterator[tuple[Notice, bool]]:
    """The notices that wait or come within `seconds`, and whether each fits the filter."""
    try:
        yield subscription.notices.get(timeout=seconds)
        while True:
            yield subscription.notices.get_nowait()
    except queue.Empty:
        return

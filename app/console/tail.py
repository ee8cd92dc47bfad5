"""Follows the log for all open pages of a process at once."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.models import Event

POLL_SECONDS = 0.2
MAX_PENDING = 1_000
QUEUE_SIZE = 2_000


@dataclass(slots=True, eq=False)
class Notice:
    """A new row, or the new state of an older one; rendered once for all who see it."""

    event: Event
    is_change: bool
    html: str | None = None

    def message(self, render: Callable[[Event, bool], str]) -> str:
        if self.html is None:
            self.html = render(self.event, self.is_change)
        return frame(self.html, None if self.is_change else self.event.id)


def frame(html: str, cursor: int | None) -> str:
    """A server-sent event; line breaks in the HTML can't end it or begin another."""
    head = f"id: {cursor}\n" if cursor is not None else ""
    return head + "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


@dataclass(slots=True, eq=False)
class Subscription:
    """What a page has still to be told; `has_lost` once it was too slow to take it all."""

    position: int
    notices: "queue.Queue[Notice]" = field(default_factory=lambda: queue.Queue(QUEUE_SIZE))
    has_lost: bool = False


class Tail:
    """Follows the log by id and tells the open pages; asks nothing while none is open."""

    def __init__(self, app: Flask, load: Callable[[Sequence[int]], list[Event]]) -> None:
        self._app = app
        self._load = load
        self._subscriptions: set[Subscription] = set()
        self._lock = threading.Lock()
        self._position: int | None = None
        self._pending: dict[int, None] = {}
        self._thread: threading.Thread | None = None

    def subscribe(self) -> Subscription:
        """From the returned position on, every row arrives; what is older, the caller reads."""
        with self._lock:
            if self._position is None:
                self._position = db.session.scalar(select(func.max(Event.id))) or 0
            subscription = Subscription(self._position)
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
        pause = threading.Event()
        while True:
            pause.wait(POLL_SECONDS)
            with self._lock:
                if not self._subscriptions:
                    self._thread = self._position = None
                    self._pending.clear()
                    return
            try:
                with self._app.app_context():
                    self._poll()
            except Exception:
                self._app.logger.warning("The live log could not be read", exc_info=True)

    def _poll(self) -> None:
        newer = select(Event.id).where(Event.id > self._position).order_by(Event.id)
        new = self._load(list(db.session.scalars(newer.limit(QUEUE_SIZE // 2))))
        changed = self._load(self._changed_ids())
        with self._lock:
            for event in sorted(new, key=lambda event: event.id):
                self._tell(Notice(event, is_change=False))
                self._position = event.id
                if event.state == "accepted":
                    self._pending[event.id] = None
            for event in changed:
                self._pending.pop(event.id, None)
                self._tell(Notice(event, is_change=True))
            for stale in list(self._pending)[:-MAX_PENDING]:
                del self._pending[stale]

    def _changed_ids(self) -> list[int]:
        if not self._pending:
            return []
        watched = Event.id.in_(list(self._pending))
        return list(db.session.scalars(select(Event.id).where(watched, Event.state != "accepted")))

    def _tell(self, notice: Notice) -> None:
        for subscription in self._subscriptions:
            try:
                subscription.notices.put_nowait(notice)
            except queue.Full:
                subscription.has_lost = True


def drain(subscription: Subscription, seconds: float) -> Iterator[Notice]:
    """The notices that wait, or that come within `seconds`."""
    try:
        yield subscription.notices.get(timeout=seconds)
        while True:
            yield subscription.notices.get_nowait()
    except queue.Empty:
        return

"""Follows the log for all open pages of a process at once."""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from flask import Flask

from app.console.event_bounds import newest_id
from app.console.flood import Bucket, Budget
from app.console.news import News, Seen, fitting
from app.console.notices import Batch, Form, Gap, Told, Wanted, cursor_of

MAX_PENDING = 1_000
"""Rows of a view that are followed until the worker has seen to them."""
MAX_COMING = 5_000
"""Events of a view that may come to fit."""
QUEUE_SIZE = 60
"""Looks, of a second each while there is a flood."""


@dataclass(slots=True, eq=False)
class View:
    """Pages that see the same, and are told the same.

    `told` are rows that they show as accepted; `coming` does not fit yet, but may once it is
    processed. What was left out is in neither: it has been counted.
    """

    wanted: Wanted
    seen: Seen
    bucket: Bucket
    subscriptions: "set[Subscription]" = field(default_factory=set)
    told: dict[int, None] = field(default_factory=dict)
    coming: dict[int, None] = field(default_factory=dict)

    @property
    def may_come_true(self) -> bool:
        return bool(self.wanted and self.wanted.may_come_true)


@dataclass(slots=True, eq=False)
class Subscription:
    """What a page has still to be told; `has_lost` once it was too slow to take it all."""

    position: int
    view: View
    batches: "queue.Queue[Batch]" = field(default_factory=lambda: queue.Queue(QUEUE_SIZE))
    has_lost: bool = False


class Tail:
    """Follows the log by id and tells the open pages; asks nothing while none is open."""

    def __init__(self, app: Flask, budget: Budget | None = None) -> None:
        self._app = app
        self._budget = budget or Budget()
        self._views: dict[tuple[Wanted, Seen], View] = {}
        self._lock = threading.Lock()
        self._position: int | None = None
        self._thread: threading.Thread | None = None

    def subscribe(
        self, wanted: Wanted = None, scope: Iterable[int | None] | None = None
    ) -> Subscription:
        """From the returned position on, every row is told or counted; what is older, the caller
        reads."""
        key = (wanted or None, None if scope is None else frozenset(scope))
        with self._lock:
            if self._position is None:
                self._position = newest_id()
            if key not in self._views:
                self._views[key] = View(*key, self._budget.open())
            view = self._views[key]
            subscription = Subscription(self._position, view)
            view.subscriptions.add(subscription)
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="tail", daemon=True)
                self._thread.start()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        view = subscription.view
        with self._lock:
            view.subscriptions.discard(subscription)
            if not view.subscriptions and self._views.get((view.wanted, view.seen)) is view:
                del self._views[view.wanted, view.seen]

    def watch(
        self, subscription: Subscription, shown: Iterable[int], coming: Iterable[int] = ()
    ) -> None:
        """Tell of these rows too, once they are no longer accepted."""
        view = subscription.view
        with self._lock:
            view.told.update(dict.fromkeys(shown))
            view.coming.update(dict.fromkeys(each for each in coming if each not in view.told))

    def take_missed(self, wanted: int) -> int:
        """How many of so many rows a page that comes back may be told."""
        with self._lock:
            return self._budget.take_missed(wanted)

    def _follow(self) -> None:
        timer, pause, is_behind = threading.Event(), self._budget.pause(0, False), False
        while True:
            timer.wait(pause)
            with self._lock:
                if not self._views:
                    self._thread = self._position = None
                    return
            began = time.monotonic()
            try:
                with self._app.app_context():
                    is_behind = self._look()
            except Exception:
                is_behind = False
                self._app.logger.warning("The live log could not be read", exc_info=True)
            pause = self._budget.pause(time.monotonic() - began, is_behind)

    def _look(self) -> bool:
        """Tell what is new; whether there is more than one look has read."""
        views, position, followed = self._survey()
        news = News(position, followed)
        if news.is_empty:
            return False
        plans = {view: _Plan(view, news, self._budget) for view in views}
        news.load(each for plan in plans.values() for each in plan.rows)
        with self._lock:
            for view in self._views.values():  # Those too of a page that was opened just now.
                plan = plans.get(view) or _Plan(view, news, self._budget)
                _tell(view, plan.carry_out())
            self._position = news.upto
        return news.is_behind

    def _survey(self) -> tuple[list[View], int, list[int]]:
        """All views, how far they have been told, and the events that they wait for."""
        with self._lock:
            views = list(self._views.values())
            self._budget.begin(len(views), sum(len(view.subscriptions) for view in views))
            followed = dict.fromkeys(each for view in views for each in (*view.told, *view.coming))
            return views, self._position or 0, list(followed)


class _Plan:
    """What the pages of a view are told of a look: the newest rows that they may be, and how many
    were left out."""

    def __init__(self, view: View, news: News, budget: Budget) -> None:
        self._view, self._news = view, news
        new = news.ids(view.seen)
        self._changed = [each for each in news.changed if each in view.told]
        came = [each for each in news.changed if each in view.coming and each not in view.told]
        if view.may_come_true:
            news.accepted()  # Asked first: what the worker sees to between the two is not lost.
        matched = fitting(view.wanted, [*new, *self._changed, *came])
        unread = set(matched.unread)
        self._fitting = matched.ids | (unread & set(self._changed))  # They have their row already.
        self._unread = sorted(unread.difference(self._changed))
        self._gone_by = {*self._changed, *came}
        rows = sorted(each for each in (*new, *came) if each in self._fitting)
        least = len(rows) - budget.take(view.bucket, len(rows))
        self._left_out, self._new = rows[:least], rows[least:]
        self._unfit = [each for each in new if each not in self._fitting and each not in unread]

    @property
    def rows(self) -> list[int]:
        return [*self._new, *self._changed]

    def carry_out(self) -> list[Told | Gap]:
        """The messages; the view is told what it waits for from now on."""
        view = self._view
        for each in self._gone_by:
            view.told.pop(each, None)
            view.coming.pop(each, None)
        new, changed = self._news.notices(self._new), self._news.notices(self._changed)
        waiting = [each.event.id for each in new if each.event.state == "accepted"]
        view.told.update(dict.fromkeys(waiting))
        for stale in list(view.told)[:-MAX_PENDING]:
            del view.told[stale]
        return [
            *self._expect(),
            *self._count(),
            *self._admit(),
            *(Told(each, "new", cursor_of(each.event.id, view.wanted)) for each in new),
            *(Told(each, self._form(each.event.id)) for each in changed),
        ]

    def _form(self, event_id: int) -> Form:
        return "changed" if event_id in self._fitting else "gone"

    def _count(self) -> Iterator[Gap]:
        if self._left_out:
            first, last = self._left_out[0], self._left_out[-1]
            yield Gap(first, last, len(self._left_out), cursor_of(last, self._view.wanted))

    def _admit(self) -> Iterator[Gap]:
        """That there was no time to see whether some fit."""
        if self._unread:
            yield Gap(self._unread[0], self._unread[-1], 0, is_least=True)

    def _expect(self) -> Iterator[Gap]:
        """Wait for what may come to fit; of what is too much it is only known that it came."""
        view = self._view
        if not view.may_come_true or not self._unfit:
            return
        accepted = self._news.accepted()
        view.coming.update(dict.fromkeys(each for each in self._unfit if each in accepted))
        if dropped := list(view.coming)[:-MAX_COMING]:
            for each in dropped:
                del view.coming[each]
            yield Gap(min(dropped), max(dropped), 0, is_least=True)


def _tell(view: View, items: list[Told | Gap]) -> None:
    if not items:
        return
    batch = Batch(items, view.wanted)
    for subscription in view.subscriptions:
        try:
            subscription.batches.put_nowait(batch)
        except queue.Full:
            subscription.has_lost = True


def drain(subscription: Subscription, seconds: float) -> Iterator[Batch]:
    """What waits or comes within `seconds`."""
    try:
        yield subscription.batches.get(timeout=seconds)
        while True:
            yield subscription.batches.get_nowait()
    except queue.Empty:
        return

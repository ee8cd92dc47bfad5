"""Puts events on disk: many requests share one commit, and each waits until it is done."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.blocking import Signal, let_others_join, make_signal
from app.ingest.claims import claim_all
from app.ingest.records import IdempotentClaim, NewEvent, RememberedAnswer
from app.ingest.store import OUTAGES, BusyError, Cursor, Store
from app.problems import ProblemError

BATCH_SIZE = 500
WAIT_SECONDS = 8.0
"""How long a sender waits for its event's turn; then it is told 503, and the event is let go."""
WRITE_SECONDS = 10.0
"""How long it waits on while its event is being written: what came of that must be known."""
LOOK_SECONDS = 0.25
GATHER_SECONDS = 0.05
"""How long refused requests gather before they are written; they wait for nobody."""
MAX_DEFERRED = 5_000
GATHER_AT_MOST_SECONDS = 0.003
"""How long a commit waits for requests that have come in and are not yet read: with them, a commit
holds 15 events instead of 8 under load; when nothing else is to be done, it waits for nobody."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Item:
    """An event that waits to be written, or to be let go: whoever takes its turn decides.

    So none is written whose sender has been told that it is not.
    """

    event: NewEvent
    claim: IdempotentClaim | None = None
    done: Signal = field(default_factory=make_signal)
    turn: list[bool] = field(default_factory=lambda: [True])
    is_ours: bool = False
    remembered: RememberedAnswer | None = None
    error: BaseException | None = None
    is_deferred: bool = False

    def take_turn(self) -> bool:
        """Whether nobody had taken it; a list's pop is one step for all threads."""
        try:
            return self.turn.pop()
        except IndexError:
            return False


class _Offer:
    """The events of one commit, for the store to take once it may write."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items

    def take(self) -> list[NewEvent]:
        return [item.event for item in self.take_items()]

    def take_items(self) -> list[_Item]:
        """Those that no sender has given up; they are ours from now on."""
        for item in self._items:
            item.is_ours = item.is_ours or item.take_turn()
        return [item for item in self._items if item.is_ours]

    def give_back(self) -> None:
        """Nothing was written: senders may give up again."""
        for item in self._items:
            if item.is_ours:
                item.is_ours = False
                item.turn.append(True)


class Recorder:
    """Group commit: what gathers while one commit is under way goes into the next.

    One per process. The thread (under gevent, the greenlet) that commits starts with the first
    event, which is after the web server has forked.
    """

    def __init__(self, store: Store, on_lost: Callable[[NewEvent], None] | None = None) -> None:
        """`on_lost` is told of each refused request that could not be written."""
        self._store = store
        self._on_lost = on_lost
        self._waiting: deque[_Item] = deque()
        self._deferred: deque[_Item] = deque()
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._committing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def record(
        self, event: NewEvent, claim: IdempotentClaim | None = None
    ) -> dict[str, Any] | None:
        """Return once the event is on disk, or the first answer to the same Idempotency-Key.

        Raises ProblemError `unavailable` when it can't be written in time, and
        `idempotency_key_reused` when the key came with another request before.
        """
        item = _Item(event, claim)
        self._waiting.append(item)
        self._notify()
        if not item.done.wait(WAIT_SECONDS) and not _wait_on(item):
            raise ProblemError("unavailable")
        if item.error is not None:
            raise ProblemError("unavailable") from item.error
        return replay(item.remembered, claim.request_hash) if claim else None

    def record_later(self, event: NewEvent) -> bool:
        """Have a refused request written within moments; False when too many wait already."""
        if len(self._deferred) >= MAX_DEFERRED:
            return False
        self._deferred.append(_Item(event, is_deferred=True))
        if len(self._deferred) == 1:
            self._notify()
        return True

    def flush(self) -> None:
        """Write what waits, now and here, and let a commit end that is under way; for the end of a
        process, and for tests."""
        with self._committing:
            while self._waiting or self._deferred:
                self._commit_next()

    def close(self) -> None:
        """Write what waits and stop; for the end of a process."""
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(WAIT_SECONDS)
        self.flush()

    def _notify(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._commit_forever, name="recorder", daemon=True
                    )
                    self._thread.start()
        if not self._wake.is_set():  # Which is quicker to ask than to say again.
            self._wake.set()

    def _commit_forever(self) -> None:
        while not self._is_closed:
            self._wake.wait()
            self._wake.clear()
            if self._deferred and not self._waiting:
                self._wake.wait(GATHER_SECONDS)  # A sender that waits ends the gathering.
                self._wake.clear()
            while self._waiting or self._deferred:
                let_others_join(GATHER_AT_MOST_SECONDS)
                with self._committing:
                    self._commit_next()

    def _commit_next(self) -> None:
        items = _take(self._waiting, BATCH_SIZE)
        refused = _take(self._deferred, BATCH_SIZE - len(items))
        # Ids follow the order of writing, and the log that of ids.
        items += sorted(refused, key=lambda item: item.event.received_at)
        try:
            self._store.run(lambda: self._write(items))
        except BusyError as error:
            logger.warning("A commit of %d events did not get its turn: %s", len(items), error)
            for item in items:
                item.error = error
        except Exception as error:
            logger.warning("A commit of %d events failed: %s", len(items), error)
            self._write_one_by_one(items)
        for item in items:
            item.done.give()
            if item.is_deferred and item.error is not None and self._on_lost:
                self._on_lost(item.event)

    def _write(self, items: Sequence[_Item]) -> None:
        offer = _Offer(items)
        if not any(item.claim for item in items):
            self._store.append_events(offer)
            return
        with self._store.writing() as cursor:
            self._insert(cursor, offer.take_items())

    def _insert(self, cursor: Cursor, items: Sequence[_Item]) -> None:
        """All but those that a first answer stands for."""
        claimed = [(item, item.claim) for item in items if item.claim]
        claims = [claim for _, claim in claimed]
        for place, first in claim_all(self._store, cursor, claims).items():
            claimed[place][0].remembered = first
        events = [item.event for item in items if item.remembered is None]
        if events:
            self._store.insert_events(cursor, events)

    def _write_one_by_one(self, items: Sequence[_Item]) -> None:
        """One event that can't be written must not take the others with it.

        When it is the database that can't be used, all the rest fail at once: each would wait for
        its lock anew, long after its sender was told.
        """
        outage: Exception | None = None
        for item in items:
            item.remembered, item.error = None, outage
            if outage is None:
                try:
                    self._store.run(lambda item=item: self._write_again(item))  # type: ignore[misc]
                except Exception as error:
                    item.error = error
                    outage = error if isinstance(error, OUTAGES) else None

    def _write_again(self, item: _Item) -> None:
        """The failed commit may have reached the disk before its answer was lost."""
        with self._store.writing() as cursor:
            if not _Offer([item]).take() or self._store.is_stored(cursor, item.event.public_id):
                return
            self._insert(cursor, [item])


def _wait_on(item: _Item) -> bool:
    """Whether the event was written after all; it is let go as soon as nobody is writing it."""
    for _ in range(round(WRITE_SECONDS / LOOK_SECONDS)):
        if item.take_turn():
            return False
        if item.done.wait(LOOK_SECONDS):
            return True
    return False


def _take(queue: deque[_Item], count: int) -> list[_Item]:
    return [queue.popleft() for _ in range(min(count, len(queue)))]


def replay(remembered: RememberedAnswer | None, request_hash: str) -> dict[str, Any] | None:
    """The first answer, if there is one; raises `idempotency_key_reused` for another request."""
    if remembered is None:
        return None
    if remembered.request_hash != request_hash:
        raise ProblemError("idempotency_key_reused")
    answer: dict[str, Any] = json.loads(remembered.answer)
    return answer

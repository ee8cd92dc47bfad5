"""Puts events on disk: many requests share one commit, and each waits until it is done."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.blocking import let_others_join
from app.ingest import turns
from app.ingest.claims import claim_all
from app.ingest.records import IdempotentClaim, NewEvent, RememberedAnswer
from app.ingest.statements import ROWS_AT_ONCE
from app.ingest.store import Cursor, Store
from app.ingest.turns import Waiting, write_one_by_one
from app.outages import explain
from app.problems import ProblemError
from app.write_lock import BusyError

BATCH_SIZE = 500
GATHER_SECONDS = 0.05
"""How long refused requests gather before they are written; they wait for nobody."""
MAX_DEFERRED = 5_000
GATHER_AT_MOST_SECONDS = 0.003
"""How long a commit waits for requests that have come in and are not yet read: with them, a commit
holds 15 events instead of 8 under load; when nothing else is to be done, it waits for nobody."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Item(Waiting):
    """An event that waits to be written."""

    event: NewEvent
    claim: IdempotentClaim | None = None
    remembered: RememberedAnswer | None = None
    is_deferred: bool = False


class _Offer:
    """The events of one commit, for the store to take once it may write."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items = items

    def take(self) -> list[NewEvent]:
        return [item.event for item in self._items if item.take()]

    def give_back(self) -> None:
        for item in self._items:
            item.give_back()


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
        if not item.done.wait(turns.WAIT_SECONDS) and not item.wait_on():
            raise ProblemError("unavailable")
        if item.error is not None:
            raise ProblemError("unavailable", explain(item.error)) from item.error
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
            self._thread.join(turns.WAIT_SECONDS)
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
        # One statement holds them: a second would keep the order's lock until the loop comes back.
        refused = _take(self._deferred, max(ROWS_AT_ONCE - len(items), 0))
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
            write_one_by_one(self._store, items, self._write_again)
        for item in items:
            item.done.give()
            if item.is_deferred and item.error is not None and self._on_lost:
                self._on_lost(item.event)

    def _write(self, items: Sequence[_Item]) -> None:
        if not any(item.claim for item in items):
            self._store.append_events(_Offer(items))
            return
        with self._store.writing() as cursor:
            self._insert(cursor, [item for item in items if item.take()])

    def _insert(self, cursor: Cursor, items: Sequence[_Item]) -> None:
        """All but those that a first answer stands for."""
        claimed = [(item, item.claim) for item in items if item.claim]
        claims = [claim for _, claim in claimed]
        for place, first in claim_all(self._store, cursor, claims).items():
            claimed[place][0].remembered = first
        events = [item.event for item in items if item.remembered is None]
        if events:
            self._store.insert_events(cursor, events)

    def _write_again(self, item: _Item) -> None:
        """The failed commit may have reached the disk before its answer was lost."""
        item.remembered = None
        with self._store.writing() as cursor:
            if not item.take() or self._store.is_stored(cursor, item.event.public_id):
                return
            self._insert(cursor, [item])


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

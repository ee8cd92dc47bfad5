"""Puts a batch on disk: all of its events in one commit, which other batches may share."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from app.ingest import turns
from app.ingest.claims import claim_all
from app.ingest.recorder import BATCH_SIZE
from app.ingest.records import IdempotentClaim, NewEvent, RememberedAnswer
from app.ingest.store import Cursor, Store
from app.ingest.turns import Waiting, write_one_by_one
from app.outages import explain
from app.problems import ProblemError
from app.write_lock import BusyError

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """An event, and the Idempotency-Key that goes with it."""

    event: NewEvent
    claim: IdempotentClaim | None


@dataclass(slots=True, eq=False)
class _Batch(Waiting):
    """What waits to be written; `remembered` has the first answers by the places of the entries."""

    entries: Sequence[Entry]
    remembered: dict[int, RememberedAnswer] = field(default_factory=dict)
    is_done: bool = False

    def list_new(self) -> list[NewEvent]:
        """The events that no first answer stands for."""
        return [e.event for place, e in enumerate(self.entries) if place not in self.remembered]


class BatchRecorder:
    """One per process. Whoever has its turn commits all batches that wait, as far as they fit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Batch] = deque()
        self._turn = threading.Lock()

    def record(self, entries: Sequence[Entry]) -> dict[int, RememberedAnswer]:
        """Return once all events are on disk; of those whose key was claimed before, what was
        answered then, by their places.

        Raises ProblemError `unavailable` when they can't be written in time: then none of them is.
        """
        batch = _Batch(entries)
        self._waiting.append(batch)
        if self._turn.acquire(timeout=turns.WAIT_SECONDS):
            try:
                while not batch.is_done:
                    self._commit_next()
            finally:
                self._turn.release()
        elif not batch.wait_on():
            with suppress(ValueError):
                self._waiting.remove(batch)
            raise ProblemError("unavailable")
        if batch.error is not None:
            raise ProblemError("unavailable", explain(batch.error)) from batch.error
        return batch.remembered

    def _commit_next(self) -> None:
        batches = self._take()
        try:
            self._store.run(lambda: self._write(batches))
        except BusyError as error:
            self._give_up(batches, error)
        except Exception as error:
            logger.warning("A commit of %d batches failed: %s", len(batches), error)
            write_one_by_one(self._store, batches, self._write_again)
        except BaseException as error:
            self._give_up(batches, error)
            raise
        finally:
            for batch in batches:
                batch.is_done = True
                batch.done.give()

    def _take(self) -> list[_Batch]:
        """Those that have waited longest, as many as fit into one commit; at least one."""
        taken = [self._waiting.popleft()]
        room = BATCH_SIZE - len(taken[0].entries)
        with suppress(IndexError):  # None is left: senders take out what they give up.
            while True:
                batch = self._waiting.popleft()
                if len(batch.entries) > room:
                    self._waiting.appendleft(batch)
                    break
                taken.append(batch)
                room -= len(batch.entries)
        return taken

    def _give_up(self, batches: Sequence[_Batch], error: BaseException) -> None:
        logger.warning("A commit of %d batches did not get its turn: %s", len(batches), error)
        for batch in batches:
            batch.error = error

    def _write(self, batches: Sequence[_Batch]) -> None:
        with self._store.writing() as cursor:
            self._write_with(cursor, [batch for batch in batches if batch.take()])

    def _write_with(self, cursor: Cursor, batches: Sequence[_Batch]) -> None:
        claimed = [
            (entry.claim, batch, place)
            for batch in batches
            for place, entry in enumerate(batch.entries)
            if entry.claim
        ]
        claims = [claim for claim, _, _ in claimed]
        for number, first in claim_all(self._store, cursor, claims).items():
            _, batch, place = claimed[number]
            batch.remembered[place] = first
        events = [event for batch in batches for event in batch.list_new()]
        if events:
            self._store.insert_events(cursor, events)

    def _write_again(self, batch: _Batch) -> None:
        """The failed commit may have reached the disk before its answer was lost."""
        with self._store.writing() as cursor:
            new = batch.list_new()
            if not batch.take():
                return
            if new and self._store.is_stored(cursor, new[0].public_id):
                return
            batch.remembered.clear()
            self._write_with(cursor, [batch])

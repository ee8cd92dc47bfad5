"""Look-ups that come in at one time go to the database together, as events do."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app.blocking import Signal, make_signal
from app.ingest.store import AwayError

WAIT_SECONDS = 8.0
"""How long a look-up waits for the one before it; then the sender is told 503."""

Key = TypeVar("Key")


@dataclass(slots=True, eq=False)
class _Asked(Generic[Key]):
    """What one request wants to know. Its signal means that it is answered, or has to lead."""

    key: Key
    told: Signal = field(default_factory=make_signal)
    has_to_lead: bool = False
    is_answered: bool = False
    row: Any = None
    error: Exception | None = None


class GroupedLookUp(Generic[Key]):
    """Reads a row by its key; what is asked while one look-up is under way makes up the next.

    Nothing is remembered: each answer was read after it had been asked for. A statement costs
    psycopg and PostgreSQL as much as all the rest of an event, however many keys it has; under load
    one serves a handful of requests.
    """

    def __init__(self, read: Callable[[Sequence[Key]], Mapping[Key, Any]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[_Asked[Key]] = []
        self._is_led = False

    def find(self, key: Key) -> Any:
        """The row, or None; raises what reading raised."""
        asked = _Asked(key)
        with self._lock:
            self._waiting.append(asked)
            leads, self._is_led = not self._is_led, True
        if not leads:
            self._wait(asked)
        if not asked.is_answered:
            self._lead()
        if asked.error is not None:
            raise asked.error
        return asked.row

    def _wait(self, asked: _Asked[Key]) -> None:
        """Raises AwayError when it takes too long."""
        if asked.told.wait(WAIT_SECONDS):
            return
        with self._lock:
            if asked.has_to_lead:
                return
            if asked in self._waiting:
                self._waiting.remove(asked)
                raise AwayError(f"no turn came within {WAIT_SECONDS:.0f} s")
        if not asked.told.wait(WAIT_SECONDS):  # It is being read, after a long wait.
            raise AwayError(f"the look-up took more than {WAIT_SECONDS:.0f} s")

    def _lead(self) -> None:
        """Read for all who wait, oneself among them; then the first of those who came meanwhile
        leads."""
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            rows = self._read(list({each.key for each in group}))
            for each in group:
                each.row = rows.get(each.key)
        except Exception as error:
            for each in group:
                each.error = error
        for each in group:
            each.is_answered = True
            each.told.give()
        with self._lock:
            self._is_led = bool(self._waiting)
            for each in self._waiting[:1]:
                each.has_to_lead = True
                each.told.give()

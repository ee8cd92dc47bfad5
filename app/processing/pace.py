"""How much the worker takes on at once, and when it rests: whoever sends comes first."""

import time
from typing import Any

from app.extensions import db, is_sqlite
from app.processing.inbox import newest_id

ALONE = {"sqlite": 200, "postgresql": 500}
"""Events of one batch where nobody sends, by the kind of database: most of a batch's cost is the
same whatever its size."""
BESIDE_SENDERS = {"sqlite": 50, "postgresql": 500}
"""The same where events come in. On SQLite nobody else writes for as long as a batch takes."""
REST, LONGEST_REST_SECONDS = 3.0, 0.3
"""On SQLite: so many times as long as a batch took, others may write."""
BREATH, LONGEST_BREATH_SECONDS = 1.0, 0.1
"""On PostgreSQL, where nobody waits for a batch: so many times as long as each statement took, with
what was made of its rows, the processor is left to those that answer."""

PATIENCE_SECONDS = 300.0
"""Senders come first for so long while more waits than one batch takes. After that the worker takes
its full share until nothing waits: else, where more comes than it does beside senders, what waits
would wait longer and longer, and alerts with it."""


class Pace:
    """Knows from batch to batch whether events come in, and since when more waits than it takes."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._are_there_senders = True
        self._size = 0
        self._behind_since: float | None = None
        self._began = self._at = time.monotonic()

    @property
    def _gives_way(self) -> bool:
        """Whether senders come first."""
        since = self._behind_since
        is_patient = since is None or time.monotonic() - since < PATIENCE_SECONDS
        return self._are_there_senders and is_patient

    def begin(self) -> int:
        """A round begins; returns the most events to take on in it."""
        self._began = self._at = time.monotonic()
        sizes = BESIDE_SENDERS if self._gives_way else ALONE
        self._size = sizes[db.engine.dialect.name]
        return self._size

    def breathe(self, *_: Any) -> None:
        """Between two statements of a batch."""
        if self._gives_way and not is_sqlite():
            took = time.monotonic() - self._at
            time.sleep(min(took * BREATH, LONGEST_BREATH_SECONDS))
        self._at = time.monotonic()

    def rest(self, claimed: int) -> float:
        """Seconds to rest after a batch of so many events, and so many for senders to write.

        Whoever has just let go of SQLite's write lock would have it again before those that wait
        for it are awake.
        """
        took = time.monotonic() - self._began
        if claimed < self._size:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._began
        if not claimed:
            return 0.0
        before, self._newest = self._newest, newest_id(db.session())
        db.session.rollback()
        self._are_there_senders = self._newest != before
        return min(took * REST, LONGEST_REST_SECONDS) if self._gives_way and is_sqlite() else 0.0

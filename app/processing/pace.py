"""How much the worker takes on at once, and when it rests: whoever sends comes first."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from app.extensions import db, is_sqlite
from app.processing.inbox import newest_id

ALONE = {"sqlite": 200, "postgresql": 500}
"""Events of one batch where nobody sends, by the kind of database: most of a batch's cost is the
same whatever its size."""
QUICK_SECONDS, MOST_BESIDE_SENDERS = 0.01, 50
"""What a batch of ten takes on SQLite; where the disk or the machine is slower, a batch costs much
whatever its size, and holds more: else a slow machine would never catch up."""
LONGEST_REST_SECONDS, LONGEST_BREATH_SECONDS = 0.3, 0.1


class Share(NamedTuple):
    """How much of the machine the worker takes.

    `rest`, on SQLite: so many times as long as a batch took, others may write. `breath`, on
    PostgreSQL, where nobody waits for a batch: so many times as long as each statement took, with
    what was made of its rows, the processor is left to those that answer.
    """

    rest: float
    breath: float
    sizes: Mapping[str, int]


SHARES = (
    Share(2.0, 1.0, {"sqlite": 10, "postgresql": 500}),
    Share(1.0, 0.5, {"sqlite": 10, "postgresql": 500}),
    Share(0.5, 0.25, {"sqlite": 20, "postgresql": 500}),
    Share(0.25, 0.0, {"sqlite": 20, "postgresql": 500}),
)
"""Beside senders, from one patience to the next. On SQLite nobody else writes for as long as a
batch takes, so that the slowest answers are later by just that: it is the size that they notice,
and the rest that decides how many notice anything."""
WITHOUT_SENDERS = Share(0.0, 0.0, ALONE)
SENDERS_SECONDS = 1.0
"""Somebody sends until nothing has come for so long: between two batches there may be nothing new
from somebody who sends a hundred times a second."""

PATIENCE_SECONDS = 300.0
"""While more waits than one batch takes, the worker is content with a share for so long. After that
it takes the next one, until nothing waits: else, where more comes than it does beside senders, what
waits would wait longer and longer, and alerts with it."""


class Pace:
    """Knows from batch to batch whether events come in, and since when more waits than it takes."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._newest: int | None = None
        self._new_at: float | None = None
        self._are_there_senders = True
        self._size = 0
        self._took = 0.0
        self._behind_since: float | None = None
        self._began = self._at = time.monotonic()

    @property
    def step(self) -> int:
        """How many times its patience has ended; at most to the last of SHARES."""
        if self._behind_since is None:
            return 0
        behind = time.monotonic() - self._behind_since
        return min(int(behind / self._patience), len(SHARES) - 1)

    @property
    def _share(self) -> Share:
        return SHARES[self.step] if self._are_there_senders else WITHOUT_SENDERS

    def begin(self) -> int:
        """A round begins; returns the most events to take on in it."""
        self._began = self._at = time.monotonic()
        self._size = self._share.sizes[db.engine.dialect.name]
        if is_sqlite() and self._are_there_senders:
            slow = round(self._size * self._took / QUICK_SECONDS)
            self._size = max(self._size, min(slow, MOST_BESIDE_SENDERS))
        return self._size

    def breathe(self, *_: Any) -> None:
        """Between two statements of a batch."""
        breath = 0.0 if is_sqlite() else self._share.breath
        if breath:
            took = time.monotonic() - self._at
            time.sleep(min(took * breath, LONGEST_BREATH_SECONDS))
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
        self._took = took
        self._are_there_senders = self._look_for_senders()
        return min(took * self._share.rest, LONGEST_REST_SECONDS) if is_sqlite() else 0.0

    def _look_for_senders(self) -> bool:
        before, self._newest = self._newest, newest_id(db.session())
        db.session.rollback()
        if before is None:
            return True
        if self._newest != before:
            self._new_at = time.monotonic()
        return self._new_at is not None and time.monotonic() - self._new_at < SENDERS_SECONDS

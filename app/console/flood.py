"""How much the live logs of a process may cost, however many events come and pages are open."""

import time
from collections.abc import Callable
from dataclasses import dataclass

POLL_SECONDS = 0.2
FLOODED_SECONDS = 1.0
"""Between two looks at the log, in quiet times and while more comes than is told."""
WAKES_A_SECOND = 250
"""Of all streams together: each costs a tenth of a millisecond, whatever it has to send."""
IDLE_SHARE, LONGEST_PAUSE = 4, 2.0
"""A look is followed by a pause so many times as long, but of no more than so many seconds."""
BURST = 500
"""Rows that are told whole after a quiet time: all that a page keeps."""
FULL_HOUR, BURST_SENDS = 300, 30_000
"""Rows times pages in a burst, where very many are open; so many rows each is told whole anyway."""
ROWS_A_SECOND = 40
"""For each page; more than anybody can read."""
SENDS_A_SECOND = 4_000
"""Rows times pages: each is some 2 KB on a socket."""
LOADS_A_SECOND = 400
"""Rows times different views of the log: each is loaded and drawn, for about half a millisecond."""
RETURNING = 5_000
"""Rows that pages are told whole when they come back at once, as after a restart of the server."""


@dataclass(slots=True)
class Bucket:
    """Rows that the pages of one view may still be told; filled up as time passes."""

    rows: float
    filled_at: float


class Budget:
    """Lets a burst through whole, and thins out what goes on for longer."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        burst: int = BURST,
        returning: int = RETURNING,
    ) -> None:
        self._clock, self._burst = clock, burst
        self._most_returning = returning
        self._returning = Bucket(returning, clock())
        self._rate, self._most = float(ROWS_A_SECOND), float(burst)
        self._streams = 0
        self.is_over = False

    def open(self) -> Bucket:
        return Bucket(self._burst, self._clock())

    def begin(self, views: int, streams: int) -> None:
        """Another look, for so many pages with so many different views of the log."""
        self._streams, self.is_over = streams, False
        shares = SENDS_A_SECOND / max(streams, 1), LOADS_A_SECOND / max(views, 1)
        self._rate = min(ROWS_A_SECOND, *shares)
        self._most = min(self._burst, max(FULL_HOUR, BURST_SENDS / max(streams, 1)))

    def take(self, bucket: Bucket, wanted: int) -> int:
        """How many of so many rows may be told."""
        allowed = self._take(bucket, wanted, self._rate, self._most)
        self.is_over |= allowed < wanted
        return allowed

    def take_missed(self, wanted: int) -> int:
        """How many of so many rows may be told to a page that comes back."""
        return self._take(self._returning, wanted, LOADS_A_SECOND, self._most_returning)

    def _take(self, bucket: Bucket, wanted: int, rate: float, most: float) -> int:
        at = self._clock()
        filled = bucket.rows + (at - bucket.filled_at) * rate
        bucket.rows, bucket.filled_at = min(filled, most), at
        allowed = min(wanted, int(bucket.rows))
        bucket.rows -= allowed
        return allowed

    def pause(self, took: float, is_behind: bool) -> float:
        """Seconds until the next look, after one that took so long."""
        least = min(max(POLL_SECONDS, self._streams / WAKES_A_SECOND), FLOODED_SECONDS)
        if self.is_over:
            least = FLOODED_SECONDS
        return max(0.0 if is_behind else least, min(took * IDLE_SHARE, LONGEST_PAUSE))

"""Rate limits that hold over all processes, and the exact count of what was not stored.

Each process fills its own buckets at memory speed and tells the others through the database; what
hardly anything came to is nobody's business, so that a quiet server writes nothing.
"""

import logging
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.clock import timestamp
from app.ingest.store import Cursor, Store
from app.problems import FieldError, ProblemError

SYNC_SECONDS = 0.25
BURST_FACTOR = 10
"""A key's burst, as a multiple of its rate per second."""
SHARED_FROM = 0.1
"""So much of a burst the processes of a machine together let pass before the others are told."""
_FORGOTTEN = 0.01
"""Of a bucket's rate: what may trickle through each process without ever being told. Were it the
whole rate, as many times that could pass as there are processes."""
_BATCHES = 4
"""One batch fills a quarter of a second's room in the log, so that it leaves some to others."""
_AGAIN = "Send it again in {} s."
_MAX_BUCKETS = 10_000

SHARE_BUCKET = """
INSERT INTO rate_buckets (name, level, updated_at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    level = excluded.level + CASE
        WHEN rate_buckets.level > (excluded.updated_at - rate_buckets.updated_at) * ?
        THEN rate_buckets.level - CASE
            WHEN excluded.updated_at > rate_buckets.updated_at
            THEN (excluded.updated_at - rate_buckets.updated_at) * ? ELSE 0 END
        ELSE 0 END,
    updated_at = CASE WHEN excluded.updated_at > rate_buckets.updated_at
        THEN excluded.updated_at ELSE rate_buckets.updated_at END
RETURNING level
"""
INSERT_UNSTORED = (
    "INSERT INTO unstored_counts (minute_at, workspace_id, code, count) VALUES (?, ?, ?, ?)"
)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bucket:
    """A leaky bucket: each request fills it by one, `rate` per second leak out."""

    rate: float
    burst: float
    level: float = 0.0
    unshared: float = 0.0
    updated_at: float = 0.0

    def drain(self, at: float) -> None:
        gone = max(0.0, at - self.updated_at) * self.rate
        self.level = max(0.0, self.level - gone)
        if self.unshared > 0:  # Below 0 where what was told was given back.
            self.unshared = max(0.0, self.unshared - gone * _FORGOTTEN)
        self.updated_at = at

    def take(self, at: float, count: int = 1) -> float:
        """0 if there was room for all of them, else the seconds until there is."""
        wait = self.wait(at, count)
        if wait == 0:
            self.level += count
            self.unshared += count
        return wait

    def wait(self, at: float, count: int = 1) -> float:
        """Seconds until there is room for so many more."""
        self.drain(at)
        return max(0.0, (self.level + count - self.burst) / self.rate)

    def give_back(self) -> None:
        """Forget one that was taken before."""
        self.level = max(0.0, self.level - 1)
        self.unshared -= 1

    def is_worth_sharing(self, part: float) -> bool:
        """`part`: of the burst, from which on the others are told."""
        enough = self.burst * part
        return self.unshared > 0 and (self.level >= enough or self.unshared >= enough)


class Limits:
    """The limits of one process; one per app.

    `stored_of_batch`: how many refused events of one batch may be stored. `shared_from`: what part
    of a burst this process lets pass before the others are told.
    """

    def __init__(
        self, store: Store, settings: Mapping[str, Any], clock: Callable[[], float] = timestamp
    ) -> None:
        self._store = store
        self._clock = clock
        self._rate: int = settings["FLOWPULSE_RATE_LIMIT"]
        self._failed_keys: int = settings["FLOWPULSE_FAILED_KEY_LIMIT"]
        self._rejected: int = settings["FLOWPULSE_REJECTED_RATE"]
        processes: int = settings["WEB_CONCURRENCY"]
        self.shared_from = SHARED_FROM / processes
        self._stored = _share(self._rejected, processes)
        self._stored_in = (0, 0)
        self.stored_of_batch = _share(self._stored, _BATCHES)
        self._buckets: dict[str, _Bucket] = {}
        self._unstored: Counter[tuple[datetime, int | None, str]] = Counter()
        self._syncing: threading.Thread | None = None
        self._sync_lock = threading.Lock()
        self._is_closed = False
        self._wake = threading.Event()

    def check_key(self, api_key_id: int) -> None:
        """Raises `rate_limited` when the key sends faster than its rate and burst allow."""
        if self._rate:
            wait = self._take(f"key:{api_key_id}", self._rate, self._rate * BURST_FACTOR)
            if wait:
                raise _rate_limited(
                    f"More than {self._rate} requests per second came with this key.", wait
                )

    def check_batch(self, api_key_id: int, count: int) -> None:
        """Count the events of a batch whose request has been counted as one: all, or none.

        Raises `rate_limited` where they don't fit in; the request then counts for nothing. Where
        they never will, raises `validation_failed`: a sender that waited would wait for ever.
        """
        if not self._rate:
            return
        name, burst = f"key:{api_key_id}", self._rate * BURST_FACTOR
        if count > burst:
            raise _never_fits(count, burst)
        wait = self._take(name, self._rate, burst, count - 1)
        if not wait:
            return
        self._buckets[name].give_back()
        reason = f"This key may send {self._rate} events per second and {burst:,} at once;"
        raise _rate_limited(f"{reason} there is no room for {count} more yet.", wait)

    def check_failed_key(self, address: str) -> None:
        """Raises `rate_limited` when an address tries one bad key after the other."""
        if not self._rate or not self._failed_keys:
            return
        wait = self._take(f"address:{address}", self._failed_keys / 60, self._failed_keys)
        if wait:
            raise _rate_limited("Too many requests with a bad key came from this address.", wait)

    def may_store_rejected(self) -> bool:
        """Whether this second has room for one more.

        Each process has its share of its machine's, and all machines together have that of one.
        """
        second, count = int(self._clock()), 1
        if second == self._stored_in[0]:
            count += self._stored_in[1]
        self._stored_in = (second, count)
        if count > self._stored:
            return False
        return not self._take("rejected", self._rejected, 2 * self._rejected)

    def count_unstored(self, workspace_id: int | None, code: str) -> None:
        """Count a refused request that is not stored."""
        minute = datetime.fromtimestamp(self._clock() // 60 * 60, UTC)
        self._unstored[minute, workspace_id, code] += 1
        self._notify()

    def _take(self, name: str, rate: float, burst: float, count: int = 1) -> float:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(rate, burst, updated_at=self._clock())
        wait = bucket.take(self._clock(), count)
        if bucket.is_worth_sharing(self.shared_from):
            self._notify()
        return wait

    def sync(self) -> None:
        """Tell the other processes what came here, and learn what came there."""
        with self._sync_lock:
            counts, self._unstored = self._unstored, Counter()
            try:
                self._store.run(lambda: self._write(counts))
            except Exception as error:
                self._unstored.update(counts)
                logger.warning("Rate limits could not be shared: %s", error)
            self._forget_empty()

    def close(self) -> None:
        """Write the counts that are still here; for the end of a process."""
        self._is_closed = True
        if self._unstored:
            self.sync()
        self._wake.set()

    def _write(self, counts: Counter[tuple[datetime, int | None, str]]) -> None:
        with self._store.writing(in_order=False) as cursor:
            for name, bucket in sorted(self._buckets.items()):
                if bucket.is_worth_sharing(self.shared_from):
                    self._share(cursor, name, bucket)
            rows = [(*counted, count) for counted, count in counts.items()]
            if rows:
                cursor.executemany(self._store.sql(INSERT_UNSTORED), rows)

    def _share(self, cursor: Cursor, name: str, bucket: _Bucket) -> None:
        sent, at = bucket.unshared, self._clock()
        bucket.unshared = 0.0
        cursor.execute(self._store.sql(SHARE_BUCKET), (name, sent, at, bucket.rate, bucket.rate))
        level = cursor.fetchone()[0]
        bucket.level, bucket.updated_at = level + bucket.unshared, at

    def _forget_empty(self) -> None:
        if len(self._buckets) > _MAX_BUCKETS:
            at = self._clock()
            for bucket in self._buckets.values():
                bucket.drain(at)
            self._buckets = {name: b for name, b in self._buckets.items() if b.level > 0}

    def _notify(self) -> None:
        if self._syncing is None:
            self._syncing = threading.Thread(target=self._sync_forever, name="limits", daemon=True)
            self._syncing.start()
        self._wake.set()

    def _sync_forever(self) -> None:
        pause = threading.Event()
        while not self._is_closed:
            self._wake.wait()
            pause.wait(SYNC_SECONDS)
            self._wake.clear()
            if not self._is_closed:
                self.sync()


def _share(rate: int, parts: int) -> int:
    """One part of a rate, such as a process's; at least one where there is a rate at all."""
    return max(min(rate, 1), rate // max(1, parts))


def _rate_limited(reason: str, wait: float) -> ProblemError:
    seconds = max(1, math.ceil(wait))
    return ProblemError(
        "rate_limited",
        f"{reason} {_AGAIN.format(seconds)}",
        headers={"Retry-After": str(seconds)},
    )


def _never_fits(count: int, burst: int) -> ProblemError:
    message = f"events holds {count} events; this key may send at most {burst:,} at once."
    error = FieldError("events", "too_many_events", message)
    return ProblemError("validation_failed", errors=[error])


def told_wait(detail: str) -> str | None:
    """The seconds after which a refusal told its sender to come again."""
    found = re.search(f"{re.escape(_AGAIN).replace(re.escape('{}'), '([0-9]+)')}$", detail)
    return found[1] if found else None

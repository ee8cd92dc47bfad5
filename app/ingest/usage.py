"""Who uses which key, and how often: counted in memory, written every few seconds."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime

from app.ingest.store import Store

SYNC_SECONDS = 2.0
MAX_SENDERS = 2_000
"""Senders told apart between two writings; what comes from further ones is counted together."""
OTHERS = "(others)"

ADD_USAGE = """
INSERT INTO key_usage (api_key_id, day, remote_addr, user_agent, count, last_at, hours)
SELECT id, ?, ?, ?, ?, ?, ? FROM api_keys WHERE id = ?
ON CONFLICT (api_key_id, day, remote_addr, user_agent) DO UPDATE SET
    count = key_usage.count + excluded.count,
    last_at = CASE WHEN excluded.last_at > key_usage.last_at
        THEN excluded.last_at ELSE key_usage.last_at END,
    hours = key_usage.hours | excluded.hours
"""
TOUCH_KEY = (
    "UPDATE api_keys SET last_used_at = ? "
    "WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)"
)

logger = logging.getLogger(__name__)


Sender = tuple[int, str, str]
"""A key's id, an address, a user agent."""


@dataclass(slots=True)
class _Use:
    """What came from one sender since the last writing; it counts for the hour of the last."""

    count: int
    last_at: datetime


class KeyUsageCounter:
    """The uses of one process; one per app. A kill -9 loses the last seconds of the count."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uses: dict[Sender, _Use] = {}
        self._thread: threading.Thread | None = None
        self._sync_lock = threading.Lock()
        self._end = threading.Event()

    def note(self, api_key_id: int, at: datetime, remote_addr: str, user_agent: str) -> None:
        """Count one request that came with a good key."""
        use = self._uses.get((api_key_id, remote_addr, user_agent))
        if use is None:
            sender = (api_key_id, remote_addr[:64], user_agent[:255])
            if len(self._uses) >= MAX_SENDERS:
                sender = (api_key_id, OTHERS, "")
            use = self._uses.setdefault(sender, _Use(0, at))
            self._start()
        use.count += 1
        use.last_at = at

    def sync(self) -> None:
        """Write what has been counted since the last time."""
        with self._sync_lock:
            uses, self._uses = self._uses, {}
            if not uses:
                return
            try:
                self._store.run(lambda: self._write(uses))
            except Exception as error:
                logger.warning("The use of keys could not be written: %s", error)
                for sender, use in uses.items():
                    kept = self._uses.setdefault(sender, _Use(0, use.last_at))
                    kept.count += use.count

    def close(self) -> None:
        """Write what is still here; for the end of a process."""
        self._end.set()
        self.sync()

    def _write(self, uses: dict[Sender, _Use]) -> None:
        last: dict[int, datetime] = {}
        for (api_key_id, _, _), use in uses.items():
            last[api_key_id] = max(use.last_at, last.get(api_key_id, use.last_at))
        with self._store.writing() as cursor:
            # In one order, so that two processes can't wait for each other.
            rows = [
                (
                    use.last_at.date(),
                    address,
                    agent,
                    use.count,
                    use.last_at,
                    1 << use.last_at.hour,
                    api_key_id,
                )
                for (api_key_id, address, agent), use in sorted(uses.items(), key=_order)
            ]
            cursor.executemany(self._store.sql(ADD_USAGE), rows)
            minutes = [
                (at.replace(second=0, microsecond=0), api_key_id)
                for api_key_id, at in sorted(last.items())
            ]
            touched = [(at, api_key_id, at) for at, api_key_id in minutes]
            cursor.executemany(self._store.sql(TOUCH_KEY), touched)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._sync_forever, name="usage", daemon=True)
            self._thread.start()

    def _sync_forever(self) -> None:
        while not self._end.wait(SYNC_SECONDS):
            self.sync()


def _order(item: tuple[Sender, _Use]) -> Sender:
    return item[0]

"""Why the database can't be used, where the error tells: what people and senders are told."""

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any

DISK_FULL = (
    "The disk that FlowPulse writes to is full, so that nothing was kept. Send the same request "
    "again after the seconds that Retry-After says: it is taken as soon as there is space again. "
    "Whoever runs this FlowPulse has to free some."
)
DISK_BROKEN = (
    "The disk that FlowPulse writes to reports an error, so that nothing was kept. Send the same "
    "request again later. Whoever runs this FlowPulse has to look at the disk."
)
_FULL_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_POSTGRES_FULL = "53100"
_seen: dict[str, float] = {}
"""When (monotonic) each was last told in this process."""


def explain(error: BaseException | None) -> str | None:
    """The cause in a sender's words; None where nothing but the outage itself is known."""
    for each in _chain(error):
        for told, is_it in _CAUSES.items():
            if is_it(each):
                _seen[told] = time.monotonic()
                return told
    return None


def was_disk_full(within_seconds: float) -> bool:
    """Whether this process was told so lately: all that is sure of a disk that others have."""
    told_at = _seen.get(DISK_FULL)
    return told_at is not None and time.monotonic() - told_at < within_seconds


def _chain(error: BaseException | None) -> Iterator[Any]:
    """The error, what the driver raised, and what led to it."""
    known: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in known:
            known.add(id(each))
            waiting += [each.__cause__, getattr(each, "orig", None)]
            yield each


def _is_full(error: Any) -> bool:
    is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    is_full = is_full or getattr(error, "sqlstate", None) == _POSTGRES_FULL
    return is_full or (isinstance(error, OSError) and error.errno in _FULL_NUMBERS)


def _is_broken(error: Any) -> bool:
    return bool(getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR)


_CAUSES: dict[str, Callable[[Any], bool]] = {DISK_FULL: _is_full, DISK_BROKEN: _is_broken}

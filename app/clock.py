"""The one place that says what time it is, so that a test can say otherwise.

Machines that share a database agree on its clock: each works out by how much its own is away.
"""

from datetime import UTC, datetime, timedelta

EXACT_ENOUGH = timedelta(milliseconds=20)
"""A smaller difference is left alone: moments of one process should not jump to and fro."""
_ahead = timedelta()


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC) + _ahead if _ahead else datetime.now(UTC)


def own_now() -> datetime:
    """What this machine's own clock says."""
    return datetime.now(UTC)


def timestamp() -> float:
    """The present moment in seconds since 1970."""
    return now().timestamp()


def agree(told: datetime, own: datetime, uncertain: timedelta) -> None:
    """Follow a clock that told this time when ours said `own`, each give or take `uncertain`."""
    global _ahead
    ahead = told - own
    if abs(ahead - _ahead) > uncertain + EXACT_ENOUGH:
        _ahead = ahead if abs(ahead) > uncertain + EXACT_ENOUGH else timedelta()


def difference() -> timedelta:
    """By how much the shared clock is ahead of this machine's own."""
    return _ahead

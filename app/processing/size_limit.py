"""What goes before its time because the database holds more than it may, the oldest first."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, func, select, true

from app.clock import now
from app.extensions import db
from app.models import PURGED, Purge, Workspace
from app.processing.database_size import MEGABYTE, Holding, measure, measure_again
from app.processing.retention import PERIODS, Condition, Period, Removal, list_workspaces

KEPT_SHARE = 0.9
"""Once it is over its limit, so much of it is left: else a little would go again and again."""
NEWEST_KEPT = timedelta(hours=1)
"""What came since then stays: a limit below that would remove each event as it is processed."""
SLICES = 1_000
FEW_ROWS, MANY_ROWS = 500, 5_000

logger = logging.getLogger(__name__)

Part = tuple[Workspace | None, Period]


def limit_bytes() -> int | None:
    """None where there is no limit."""
    megabytes: int = current_app.config["FLOWPULSE_MAX_DATABASE_MB"]
    return megabytes * MEGABYTE or None


class Fullness(NamedTuple):
    """What the database holds and may hold, in bytes, and what went for its size: how many rows
    of the last days, when the last of them, and when the youngest of those had come."""

    used: float
    limit: int | None
    row_count: int
    last_at: datetime | None
    reached_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self.used > self.limit


def look_at_size() -> Fullness:
    """For people. Refused requests reach further than what is kept longer, and don't count."""
    went = select(func.sum(Purge.row_count), func.max(Purge.last_at)).where(Purge.why == "size")
    reached = select(func.max(Purge.reached_at)).where(Purge.why == "size", Purge.what == "success")
    used = measure().used
    rows, last_at = db.session.execute(went).one()
    return Fullness(used, limit_bytes(), int(rows or 0), last_at, db.session.scalar(reached))


def find_too_much(removed: Mapping[type[Any], int]) -> Iterator[Removal]:
    """One slice of time after the other, until enough has gone; `removed` is kept up by whoever
    removes, and tells how many rows of each table are gone."""
    limit = limit_bytes()
    holding = measure() if limit else None
    if limit is None or holding is None or holding.used <= limit:
        return
    meter = _Meter(holding, limit * KEPT_SHARE, removed)
    for what in PURGED:
        yield from _slice(what, meter)
    if meter.gone:
        used, most = holding.used / MEGABYTE, limit / MEGABYTE
        logger.warning(
            "%.0f MB were in use, of at most %.0f: the oldest %d rows went.", used, most, meter.gone
        )


class _Meter:
    """Whether there is still too much, and how many rows have gone so far."""

    def __init__(self, holding: Holding, target: float, removed: Mapping[type[Any], int]) -> None:
        self._before, self._target = holding, target
        self._removed, self._at_first = removed, Counter(removed)

    @property
    def gone(self) -> int:
        return sum(self._by_table.values())

    def is_over(self) -> bool:
        return measure_again(self._before, self._by_table).used > self._target

    @property
    def _by_table(self) -> Counter[type[Any]]:
        return Counter(self._removed) - self._at_first


def _slice(what: str, meter: _Meter) -> Iterator[Removal]:
    """Events and runs of all workspaces hand in hand. A slice in which much went makes the next
    ones shorter, so that no more goes than has to."""
    parts = _list_parts(what)
    oldest = min((moment for part in parts if (moment := _find_oldest(part))), default=None)
    end = now() - NEWEST_KEPT
    if oldest is None or oldest >= end:
        return
    horizon, length = oldest, (end - oldest) / SLICES
    while horizon < end and meter.is_over():
        before = meter.gone
        horizon = min(horizon + length, end)
        for part in parts:
            yield from _remove_before(part, horizon, meter)
        went = meter.gone - before
        length = length * 2 if went < FEW_ROWS else length / 2 if went > MANY_ROWS else length


def _remove_before(part: Part, horizon: datetime, meter: _Meter) -> Iterator[Removal]:
    """A little at a time, until there is no more of it or enough has gone."""
    removal = part[1].removal(_whose(part), horizon, "size")._replace(most=MANY_ROWS)
    while meter.is_over():
        before = meter.gone
        yield removal
        if meter.gone - before < MANY_ROWS:
            break


def _list_parts(what: str) -> list[Part]:
    """Refused requests are one part: their index goes by time alone."""
    periods = [each for each in PERIODS if each.what == what and each.goes_by_size]
    if what == "rejected":
        return [(None, each) for each in periods]
    return [(workspace, each) for workspace in list_workspaces() for each in periods]


def _whose(part: Part) -> Condition:
    workspace, period = part
    owner: ColumnElement[int] = period.table.workspace_id
    return true() if workspace is None else owner == workspace.id


def _find_oldest(part: Part) -> datetime | None:
    period = part[1]
    query = select(period.moment).where(_whose(part), period.kind)
    moment: datetime | None = db.session.scalar(query.order_by(period.moment).limit(1))
    return moment

"""How often each code of the troubleshooting table occurred here within the last 24 hours."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, func, or_, select, type_coerce

from app.clock import now
from app.extensions import db
from app.models import Event, UnstoredCount, of_state

WINDOW = timedelta(hours=24)
MAX_ROWS = 5_000
"""Of these refused requests the codes are counted; of more, only that there are more."""

# Quotes inside of a JSON text are escaped, so that nothing a sender wrote looks like this.
_CODE = re.compile(r'"code":\s?"([a-z0-9_]+)"')


class Counts(NamedTuple):
    """By code. `is_partial`: there were more than MAX_ROWS, and each may be higher."""

    by_code: Counter[str]
    is_partial: bool


def count_refusals(scope: Sequence[int | None]) -> Counts:
    """Those of senders, in the workspaces of `scope`; None among them stands for no workspace."""
    since = now() - WINDOW
    rows = _find_rejected(scope, since)
    counts: Counter[str] = Counter()
    for (code, errors), times in Counter(map(tuple, rows[:MAX_ROWS])).items():
        for each in {code, *_CODE.findall(errors or "")}:
            counts[each] += times
    counts.update(_count_unstored(scope, since))
    failed = _count_failed(scope, since)
    if failed:
        counts["processing_failed"] += failed
    return Counts(counts, len(rows) > MAX_ROWS or failed > MAX_ROWS)


def _find_rejected(scope: Sequence[int | None], since: datetime) -> Sequence[Any]:
    """Code and errors, as text, of the latest; walks the index of refused requests by time.

    The state is a literal, since no partial index serves a parameter.
    """
    query = (
        select(Event.code, type_coerce(Event.errors, Text))
        .where(
            of_state("rejected"),
            Event.received_at >= since,
            Event.origin.is_(None),
            _within(Event.workspace_id, scope),
        )
        .order_by(Event.received_at.desc())
        .limit(MAX_ROWS + 1)
    )
    return db.session.execute(query).all()


def _count_failed(scope: Sequence[int | None], since: datetime) -> int:
    some = (
        select(Event.id)
        .where(
            of_state("failed"),
            Event.received_at >= since,
            _within(Event.workspace_id, scope),
        )
        .limit(MAX_ROWS + 1)
        .subquery()
    )
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def _count_unstored(scope: Sequence[int | None], since: datetime) -> dict[str, int]:
    query = (
        select(UnstoredCount.code, func.sum(UnstoredCount.count))
        .where(UnstoredCount.minute_at >= since, _within(UnstoredCount.workspace_id, scope))
        .group_by(UnstoredCount.code)
    )
    return {code: int(count) for code, count in db.session.execute(query)}


def _within(column: Any, scope: Sequence[int | None]) -> ColumnElement[bool]:
    """Plus 0, so that no database walks an index of workspaces: theirs hold all events."""
    own: ColumnElement[bool] = (column + 0).in_([each for each in scope if each is not None])
    return or_(own, (column + 0).is_(None)) if None in scope else own

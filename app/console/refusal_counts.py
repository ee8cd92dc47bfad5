"""How often each code of the troubleshooting table occurred here within the last 24 hours."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, func, or_, select, type_coerce

from app.clock import now
from app.extensions import db
from app.models import IS_WARNED, Event, UnstoredCount, of_state
from app.problems import exact_codes, public_code

WINDOW = timedelta(hours=24)
MAX_ROWS = 5_000
"""Of these refused requests the codes are counted; of more, only that there are more."""

# Quotes inside of a JSON text are escaped, so that nothing a sender wrote looks like this.
_CODE = re.compile(r'"code":\s?"([a-z0-9_]+)"')


class Counts(NamedTuple):
    """By code. Where there were more than MAX_ROWS refusals, or events with warnings, those counts
    are partial: each may be higher."""

    by_code: Counter[str]
    is_partial: bool
    are_warnings_partial: bool = False

    def is_at_least(self, kind: str) -> bool:
        """Whether the counts of this kind of row are partial."""
        return self.are_warnings_partial if kind == "warning" else self.is_partial


def count_codes(scope: Sequence[int | None]) -> Counts:
    """What senders met with; None within `scope` stands for those of no workspace."""
    since = now() - WINDOW
    rows = _find_rejected(scope, since)
    counts: Counter[str] = Counter()
    for (code, errors), times in Counter(map(tuple, rows[:MAX_ROWS])).items():
        for each in {code, *_CODE.findall(errors or "")}:
            counts[each] += times
    counts.update(_count_unstored(scope, since))
    for said in {public_code(code) for code in counts} - set(counts):
        counts[said] = sum(counts[code] for code in exact_codes(said))
    failed = _count_failed(scope, since)
    if failed:
        counts["processing_failed"] += failed
    warned = _find_warned(scope, since)
    for (warnings,), times in Counter(map(tuple, warned[:MAX_ROWS])).items():
        for each in set(_CODE.findall(warnings)):
            counts[each] += times
    return Counts(counts, len(rows) > MAX_ROWS or failed > MAX_ROWS, len(warned) > MAX_ROWS)


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


def _find_warned(scope: Sequence[int | None], since: datetime) -> Sequence[Any]:
    """Warnings, as text, of the latest events that have some; along an index of their own."""
    found: list[Any] = []
    for each in scope:
        query = (
            select(type_coerce(Event.warnings, Text))
            .where(
                Event.workspace_id == each,
                IS_WARNED,
                Event.received_at >= since,
                Event.origin.is_(None),
            )
            .order_by(Event.received_at.desc())
            .limit(MAX_ROWS + 1)
        )
        found += db.session.execute(query).all() if each is not None else ()
    return found


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

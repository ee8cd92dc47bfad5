"""Refused requests that nobody has mended yet, grouped by what is wrong with them.

All goes by the partial index over open problems, which holds workspace, fingerprint and id. Ids
follow the order of arrival, so a moment becomes an id first, and the rows themselves are read only
for what a page shows. Where a log was loaded later than it came (a demo into one in use), times are
compared instead, which takes reading all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, case, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.clock import now
from app.console.event_bounds import lowest_since
from app.extensions import db
from app.models import Event, IgnoredProblem, UnstoredCount, of_state
from app.workspaces.ignored_problems import list_ignored_problems

RECENT = timedelta(hours=24)
MAX_GROUPS = 1_000
"""Groups that are looked at: a stranger who tries many addresses makes many of them."""
_NEVER = 2**63 - 1
Scope = Sequence[int | None]
"""Whose events: ids of workspaces; None stands for events of no workspace."""

IS_REJECTED = of_state("rejected")
IS_OPEN = IS_REJECTED & Event.fingerprint.is_not(None) & Event.resolved_at.is_(None)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that a spark line covers, in steps of equal length."""

    label: str
    step: timedelta
    steps: int

    def starts(self, until: datetime) -> list[datetime]:
        """When each step begins, the oldest first; the last one ends at `until`."""
        return [until - self.step * number for number in range(self.steps, 0, -1)]


WINDOWS = {
    "24h": Window("24 h", timedelta(hours=1), 24),
    "7d": Window("7 d", timedelta(hours=6), 28),
}


@dataclass(slots=True)
class Group:
    """Requests that were refused for the same reason; `recent` are those of the last 24 h."""

    fingerprint: str
    count: int
    recent: int
    first_id: int
    last_id: int
    ignored: IgnoredProblem | None = None


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """A group with what a line of the page shows: its newest request, and its counts by step."""

    group: Group
    newest: Event
    first_at: datetime
    spark: list[int]


class Order(NamedTuple):
    """The column that tells which of two requests came first, and moments as its values."""

    column: InstrumentedAttribute[Any]
    bounds: Sequence[Any]


def list_groups(scope: Scope, workspace_id: int) -> list[Group]:
    """The open groups, last seen first; those that `workspace_id` ignores are marked."""
    groups = _aggregate(scope, IS_OPEN)
    return _mark_ignored(groups, workspace_id)


def find_group(fingerprint: str, scope: Scope, workspace_id: int) -> Group | None:
    """The open group with this fingerprint, if there is one."""
    groups = _aggregate(scope, IS_OPEN & (Event.fingerprint == fingerprint))
    return next(iter(_mark_ignored(groups, workspace_id)), None)


def _aggregate(scope: Scope, condition: ColumnElement[bool]) -> list[Group]:
    order = _find_order([now() - RECENT], scope)
    last_at: dict[str, Any] = {}
    found: dict[str, Group] = {}
    for each in scope:
        query = _count_groups(order).where(Event.workspace_id == each, condition)
        for fingerprint, count, recent, first, last, place in db.session.execute(query):
            last_at[str(fingerprint)] = max(place, last_at.get(str(fingerprint), place))
            known = found.setdefault(str(fingerprint), Group(str(fingerprint), 0, 0, first, last))
            known.count += count
            known.recent += recent
            known.first_id = min(known.first_id, first)
            known.last_id = max(known.last_id, last)
    newest_first = sorted(
        found.values(), key=lambda group: last_at[group.fingerprint], reverse=True
    )
    return newest_first[:MAX_GROUPS]


def _count_groups(order: Order) -> Select[Any]:
    """Fingerprint, count, recent ones, first and last id, and the place of the last in time."""
    last, (since,) = func.max(order.column), order.bounds
    recent = func.coalesce(func.sum(case((order.column >= since, 1), else_=0)), 0)
    ids = func.min(Event.id), func.max(Event.id)
    return (
        select(Event.fingerprint, func.count(), recent, *ids, last)
        .group_by(Event.fingerprint)
        .order_by(last.desc())
        .limit(MAX_GROUPS)
    )


def _mark_ignored(groups: list[Group], workspace_id: int) -> list[Group]:
    """Note on each group who ignores it; not on one that has happened again since."""
    ignored = list_ignored_problems(workspace_id)
    for group in groups:
        row = ignored.get(group.fingerprint)
        if row is not None and row.up_to_event_id >= group.last_id:
            group.ignored = row
    return groups


def find_codes(groups: Sequence[Group]) -> dict[str, str]:
    """The code of each group, by fingerprint."""
    ids = [group.last_id for group in groups]
    query = select(Event.fingerprint, Event.code).where(Event.id.in_(ids))
    return {str(fingerprint): str(code) for fingerprint, code in db.session.execute(query)}


def describe(groups: Sequence[Group], scope: Scope, window: Window) -> list[ProblemLine]:
    """The groups as lines, in the same order."""
    newest = load_newest(groups)
    firsts = select(Event.id, Event.received_at).where(
        Event.id.in_([group.first_id for group in groups])
    )
    first_at = {row[0]: row[1] for row in db.session.execute(firsts)}
    sparks = count_by_step([group.fingerprint for group in groups], scope, window)
    return [
        ProblemLine(
            group,
            newest[group.last_id],
            first_at.get(group.first_id, newest[group.last_id].received_at),
            sparks[group.fingerprint],
        )
        for group in groups
        if group.last_id in newest  # It may have been pruned since.
    ]


def load_newest(groups: Sequence[Group]) -> dict[int, Event]:
    """The newest request of each group, by its id; one may have been pruned since."""
    ids = [group.last_id for group in groups]
    query = select(Event).where(Event.id.in_(ids))
    query = query.options(joinedload(Event.api_key), joinedload(Event.workflow))
    return {event.id: event for event in db.session.scalars(query)}


def count_by_step(
    fingerprints: Sequence[str], scope: Scope, window: Window
) -> dict[str, list[int]]:
    """How many requests of each group fell into each step of the window."""
    counts = {fingerprint: [0] * window.steps for fingerprint in fingerprints}
    if not fingerprints:
        return counts
    column, bounds = _find_order(window.starts(now()), scope)
    step = _step_of(column, bounds, 0, len(bounds)).label("step")
    for each in scope:
        placed = (
            select(Event.fingerprint, step)
            .where(Event.workspace_id == each, IS_OPEN, Event.fingerprint.in_(fingerprints))
            .where(column >= bounds[0])
            .subquery()
        )
        columns = placed.c
        query = select(columns.fingerprint, columns.step, func.count()).group_by(
            columns.fingerprint, columns.step
        )
        for fingerprint, number, count in db.session.execute(query):
            counts[fingerprint][number] += count
    return counts


def _step_of(
    column: InstrumentedAttribute[Any], bounds: Sequence[Any], low: int, high: int
) -> ColumnElement[int]:
    """The number of the step that a request falls into, found by halving: 5 comparisons for 28."""
    if high - low == 1:
        return literal_column(str(low), Integer)
    middle = (low + high) // 2
    return case(
        (column < bounds[middle], _step_of(column, bounds, low, middle)),
        else_=_step_of(column, bounds, middle, high),
    )


def _find_order(moments: Sequence[datetime], scope: Scope) -> Order:
    """Ids, unless one of those that came since the first moment is lower than the earliest's."""
    bounds = _id_bounds(moments)
    if lowest_since(["rejected"], scope, moments[0], bounds[0]) < bounds[0]:
        return Order(Event.received_at, moments)
    return Order(Event.id, bounds)


def _id_bounds(moments: Sequence[datetime]) -> list[int]:
    """For each moment, the id from which on refused requests came in since then."""
    firsts = [
        select(Event.id)
        .where(IS_REJECTED, Event.received_at >= moment)
        .order_by(Event.received_at)
        .limit(1)
        .scalar_subquery()
        for moment in moments
    ]
    row = db.session.execute(select(*firsts)).one()
    return [_NEVER if found is None else found for found in row]


def count_unstored(scope: Scope) -> dict[str, int]:
    """Requests of the last 24 h that were refused and only counted, by code, the most first."""
    counts: dict[str, int] = {}
    for each in scope:
        query = (
            select(UnstoredCount.code, func.sum(UnstoredCount.count))
            .where(UnstoredCount.workspace_id == each, UnstoredCount.minute_at >= now() - RECENT)
            .group_by(UnstoredCount.code)
        )
        for code, count in db.session.execute(query):
            counts[code] = counts.get(code, 0) + int(count)
    return dict(sorted(counts.items(), key=lambda item: item[1], reverse=True))


def list_requests(scope: Scope, fingerprint: str, limit: int) -> list[Event]:
    """The newest open requests of a group. The order names all columns of the index: of those that
    are the same throughout, PostgreSQL does not see it where they are NULL, and may walk through
    the whole log by id."""
    ids: list[int] = []
    newest_first = (Event.workspace_id.desc(), Event.fingerprint.desc(), Event.id.desc())
    for each in scope:
        query = select(Event.id).where(
            Event.workspace_id == each, Event.fingerprint == fingerprint, IS_OPEN
        )
        ids += db.session.scalars(query.order_by(*newest_first).limit(limit))
    newest = sorted(ids, reverse=True)[:limit]
    query_rows = select(Event).where(Event.id.in_(newest)).options(joinedload(Event.api_key))
    return list(db.session.scalars(query_rows.order_by(Event.id.desc())))

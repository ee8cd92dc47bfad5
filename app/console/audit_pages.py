"""Pages of the audit log, its exports, and whom its filter offers: all of them read along an index,
one branch after the other, and never more than is shown."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select, union_all

from app.console.audit_filter import OTHERS, AuditFilter, Fixed, WorkspaceIds
from app.console.key_pages import find_key_page
from app.console.places import Place
from app.extensions import db
from app.models import AuditEntry

PAGE_SIZE = 50
READ_AT_ONCE = 500
MOST_PEOPLE = 100


class Page(NamedTuple):
    """Entries, the newest first, and the places from which the pages beside it go on."""

    entries: Sequence[AuditEntry] = ()
    newer: Place | None = None
    older: Place | None = None


def find_page(
    workspaces: WorkspaceIds, wanted: AuditFilter, before: Place | None, after: Place | None
) -> Page:
    """The newest; those older than `before`; or those that came next after `after`."""

    def list_places(start: Place | None, is_upward: bool, limit: int) -> Sequence[Place]:
        return _list_places(workspaces, wanted, start, limit, is_upward=is_upward)

    found = find_key_page(list_places, PAGE_SIZE, before, after)
    return Page(_load(found.keys), found.newer, found.older)


def find_newest(workspaces: WorkspaceIds, most: int) -> Sequence[AuditEntry]:
    return _load(_list_places(workspaces, AuditFilter(), None, most))


def find_oldest(workspaces: WorkspaceIds) -> datetime | None:
    """When the oldest entry of all was made: what strangers caused before it may be gone."""
    places = _list_places(workspaces, AuditFilter(), None, 1, is_upward=True)
    return places[0].at if places else None


def newest_id() -> int:
    """Of all entries; what is noted later has a larger one."""
    return db.session.scalar(select(func.max(AuditEntry.id))) or 0


def read_batches(
    workspaces: WorkspaceIds, wanted: AuditFilter, last: int
) -> Iterator[Sequence[AuditEntry]]:
    """All that fit, the newest first, but for ids beyond `last`. Nothing is held while they are
    sent."""
    place: Place | None = None
    while True:
        places = _list_places(workspaces, wanted, place, READ_AT_ONCE)
        found = _load([each for each in places if each.id <= last])
        db.session.expunge_all()
        db.session.rollback()
        yield found
        if len(places) < READ_AT_ONCE:
            return
        place = places[-1]


def list_people(workspaces: WorkspaceIds, wanted: AuditFilter) -> list[tuple[str, str]]:
    """Whom the filter offers: the first people by their addresses, then the rest. A click on a name
    in the list finds all others."""
    people = sorted({each for scope in workspaces for each in _list_people(scope)})[:MOST_PEOPLE]
    choices = [*((each, each) for each in people), *OTHERS.items()]
    given = wanted.value("who")
    if given and given not in dict(choices):
        choices.insert(0, (given, given))
    return choices


def _list_people(workspace_id: int | None) -> list[str]:
    """From one to the next along an index, however much each of them has done."""
    first = _next_person(workspace_id).scalar_subquery()
    people = select(first.label("who")).cte("people", recursive=True)
    onward = _next_person(workspace_id).where(AuditEntry.who > people.c.who).scalar_subquery()
    people = people.union_all(select(onward).where(people.c.who.is_not(None)))
    found = db.session.scalars(select(people.c.who).limit(MOST_PEOPLE + 1))
    return [who for who in found if who is not None]


def _next_person(workspace_id: int | None) -> Select[str | None]:
    mine = _has(AuditEntry.workspace_id, workspace_id)
    query = select(AuditEntry.who).where(mine, AuditEntry.who.is_not(None))
    return query.order_by(AuditEntry.workspace_id, AuditEntry.who).limit(1)


def _list_places(
    workspaces: WorkspaceIds,
    wanted: AuditFilter,
    start: Place | None,
    limit: int,
    *,
    is_upward: bool = False,
) -> list[Place]:
    """So many of each branch, merged, the nearest first."""
    branches = [
        _walk(fixed, wanted, start, is_upward).limit(limit).subquery()
        for fixed in wanted.branches(workspaces)
    ]
    query = union_all(*(select(each.c.at, each.c.id) for each in branches))
    found = (Place(*row) for row in db.session.execute(query))
    return sorted(found, reverse=not is_upward)[:limit]


def _walk(
    fixed: Fixed, wanted: AuditFilter, start: Place | None, is_upward: bool
) -> Select[datetime, int]:
    """One branch along its index. The order names the fixed columns too: for one that is NULL,
    PostgreSQL does not see that all have the same."""
    conditions = (_has(column, value) for column, value in fixed)
    query = select(AuditEntry.at, AuditEntry.id).where(*conditions, *wanted.conditions())
    order = (*(column for column, _ in fixed), AuditEntry.at, AuditEntry.id)
    at, key = AuditEntry.at, AuditEntry.id
    if is_upward:
        if start is not None:
            query = query.where(at >= start.at, (at > start.at) | (key > start.id))
        return query.order_by(*order)
    if start is not None:
        query = query.where(at <= start.at, (at < start.at) | (key < start.id))
    return query.order_by(*(column.desc() for column in order))


def _has(column: Any, value: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = column.is_(None) if value is None else column == value
    return condition


def _load(places: Sequence[Place]) -> Sequence[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.id.in_([place.id for place in places]))
    ordered = query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    return db.session.scalars(ordered).all() if places else ()

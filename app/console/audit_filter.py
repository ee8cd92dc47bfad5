"""Which entries of the audit log a reader wants to see, and a page of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sqlalchemy import ColumnElement, Select, func, or_, select

from app.console.run_filter import PERIODS
from app.console.url_filter import (
    BadValue,
    Condition,
    Parameter,
    UrlFilter,
    Value,
    choice,
    period,
    read_since,
    read_until,
)
from app.extensions import db
from app.models import AuditEntry
from app.workspaces.audit import ACTIONS, KINDS

PAGE_SIZE = 50
READ_AT_ONCE = 500
MOST_PEOPLE = 100
LOOKED_BACK = 5_000
"""Entries in which people are looked for whom the filter offers."""
OTHERS = {
    "nobody": "Somebody not signed in",
    "command line": "Command line",
    "worker": "Worker",
}
"""Who does things and is no person, with what the page calls them."""

WorkspaceIds = Sequence[int | None]


def _is_by(who: str) -> Condition:
    return AuditEntry.actor == who if who in OTHERS else AuditEntry.who == who


def _read_who(text: str, workspace_id: int) -> Value:
    if len(text) > 254 or "\0" in text:
        raise BadValue("Write an e-mail address, such as ana@example.org.")
    return Value(text.lower(), OTHERS.get(text.lower(), text.lower()))


def _is_of_kind(kind: str) -> Condition:
    return AuditEntry.what.in_([name for name, action in ACTIONS.items() if action.kind == kind])


@dataclass(frozen=True)
class AuditFilter(UrlFilter):
    """A filter of the audit log."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = {
        "who": Parameter("Who", _read_who, _is_by),
        "kind": Parameter("What", choice(KINDS), _is_of_kind),
        "period": Parameter("Time", period(PERIODS), AuditEntry.at.__ge__),
        "since": Parameter("Since", read_since, AuditEntry.at.__ge__),
        "until": Parameter("Until", read_until, AuditEntry.at.__lt__),
    }


class Page(NamedTuple):
    """Entries, the newest first; the ids from which the pages beside it go on."""

    entries: Sequence[AuditEntry] = ()
    newer: int | None = None
    older: int | None = None


def find_page(
    workspaces: WorkspaceIds, wanted: AuditFilter, before: int | None, after: int | None
) -> Page:
    """The newest; those older than `before`; or those that came next after `after`."""
    query = _select(workspaces, wanted)
    if after is not None:
        newer = query.where(AuditEntry.id > after).order_by(AuditEntry.id)
        found = db.session.scalars(newer.limit(PAGE_SIZE + 1)).all()
        entries = found[:PAGE_SIZE][::-1]
        has_newer, has_older = len(found) > PAGE_SIZE, True
    else:
        query = query if before is None else query.where(AuditEntry.id < before)
        older = query.order_by(AuditEntry.id.desc()).limit(PAGE_SIZE + 1)
        found = db.session.scalars(older).all()
        entries = found[:PAGE_SIZE]
        has_newer, has_older = before is not None, len(found) > PAGE_SIZE
    if not entries:
        return Page()
    newest, oldest = entries[0].id, entries[-1].id
    return Page(entries, newest if has_newer else None, oldest if has_older else None)


def find_newest(workspaces: WorkspaceIds, most: int) -> Sequence[AuditEntry]:
    newest = _select(workspaces, AuditFilter()).order_by(AuditEntry.id.desc())
    return db.session.scalars(newest.limit(most)).all()


def newest_id() -> int:
    """Of all entries; what is noted later has a larger one."""
    return db.session.scalar(select(func.max(AuditEntry.id))) or 0


def read_batches(
    workspaces: WorkspaceIds, wanted: AuditFilter, last: int
) -> Iterator[Sequence[AuditEntry]]:
    """All that fit, the newest first, up to the id `last`. Nothing is held while they are sent."""
    query, below = _select(workspaces, wanted).order_by(AuditEntry.id.desc()), last + 1
    while True:
        found = db.session.scalars(query.where(AuditEntry.id < below).limit(READ_AT_ONCE)).all()
        db.session.expunge_all()
        db.session.rollback()
        yield found
        if len(found) < READ_AT_ONCE:
            return
        below = found[-1].id


def list_people(workspaces: WorkspaceIds, wanted: AuditFilter) -> list[tuple[str, str]]:
    """Whom the filter offers: people of the last entries by their addresses, then the rest. A click
    on a name in the list finds all others."""
    last = _select(workspaces, AuditFilter()).order_by(AuditEntry.id.desc()).limit(LOOKED_BACK)
    names = last.with_only_columns(AuditEntry.who).subquery()
    found = select(names.c.who).where(names.c.who.is_not(None)).distinct().order_by(names.c.who)
    people = db.session.scalars(found.limit(MOST_PEOPLE))
    choices = [*((each, each) for each in people), *OTHERS.items()]
    given = wanted.value("who")
    if given and given not in dict(choices):
        choices.insert(0, (given, given))
    return choices


def _select(workspaces: WorkspaceIds, wanted: AuditFilter) -> Select[AuditEntry]:
    return select(AuditEntry).where(_are_of(workspaces), *wanted.conditions())


def _are_of(workspaces: WorkspaceIds) -> ColumnElement[bool]:
    """None stands for the entries of no workspace."""
    own = AuditEntry.workspace_id.in_([each for each in workspaces if each is not None])
    return or_(own, AuditEntry.workspace_id.is_(None)) if None in workspaces else own

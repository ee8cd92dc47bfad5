"""What has come into the log since the last look: ids first, and rows of those that are told."""

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, select, true

from app.console.event_bounds import newest_id
from app.console.event_search import Matched, load_events, match
from app.console.notices import Notice, Wanted
from app.extensions import db
from app.models import Event, of_state

MOST_AT_ONCE = 5_000
"""Ids that one look reads, and that one statement lists."""

Seen = frozenset[int | None] | None
"""The workspaces that a page sees; None for all of them."""


class News:
    """One look at the log: nothing of it is read twice, however many pages are told of it."""

    def __init__(self, position: int, followed: Sequence[int]) -> None:
        self._after = self.upto = position
        self.is_behind = False
        lowest = select(Event.id).where(Event.id > position).order_by(Event.id).limit(1)
        if (low := db.session.scalar(lowest)) is not None:
            newest = newest_id()
            self.upto = min(newest, low + MOST_AT_ONCE - 1)
            self.is_behind = self.upto < newest
        self.changed = list(_settled(followed))
        self._by_seen: dict[Seen, list[int]] = {}
        self._accepted: set[int] | None = None
        self._notices: dict[int, Notice] = {}

    @property
    def is_empty(self) -> bool:
        return self.upto == self._after and not self.changed

    def ids(self, seen: Seen) -> list[int]:
        """Of what is new in these workspaces, oldest first; an index alone tells."""
        if self.upto == self._after:
            return []
        if seen not in self._by_seen:
            everywhere: list[ColumnElement[bool]] = [true()]
            places = everywhere if seen is None else [Event.workspace_id == each for each in seen]
            queries = (select(Event.id).where(place, self._is_new()) for place in places)
            self._by_seen[seen] = sorted(
                each for new in queries for each in db.session.scalars(new)
            )
        return self._by_seen[seen]

    def _is_new(self) -> ColumnElement[bool]:
        return (Event.id > self._after) & (Event.id <= self.upto)

    def accepted(self) -> set[int]:
        """Of what is new, what the worker has not seen to."""
        if self._accepted is None:
            accepted = select(Event.id).where(of_state("accepted"), self._is_new())
            self._accepted = set(db.session.scalars(accepted))
        return self._accepted

    def load(self, ids: Iterable[int]) -> None:
        """In one go, what is not loaded yet."""
        missing = [each for each in dict.fromkeys(ids) if each not in self._notices]
        for part in _parts(missing):
            self._notices |= {event.id: Notice(event) for event in load_events(part)}

    def notices(self, ids: Sequence[int]) -> list[Notice]:
        """In the order of the ids, of what is still there."""
        self.load(ids)
        return [self._notices[each] for each in ids if each in self._notices]


def fitting(wanted: Wanted, ids: Sequence[int]) -> Matched:
    """Which of these events fit."""
    if not wanted:
        return Matched(set(ids))
    found = [match(wanted, part) for part in _parts(ids)]
    return Matched(
        {each for part in found for each in part.ids},
        [each for part in found for each in part.unread],
    )


def _settled(followed: Sequence[int]) -> Iterable[int]:
    """Of the rows that waited for the worker, those that no longer do."""
    for part in _parts(followed):
        done = select(Event.id).where(Event.id.in_(part), Event.state != "accepted")
        yield from db.session.scalars(done)


def _parts(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + MOST_AT_ONCE] for start in range(0, len(ids), MOST_AT_ONCE))

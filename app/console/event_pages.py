"""Pages of the log: which events stand on one, and from where its neighbours go on."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.console.event_filter import EventFilter
from app.console.event_search import (
    SECONDS,
    Found,
    Scope,
    find_exact,
    list_ids,
    load_events,
    search,
)
from app.console.search_sieve import SECONDS as SIFTING
from app.console.search_sieve import sift_events
from app.models import Event

PAGE_SIZE = 36
MOST_EXACT = 20
"""Events whose id is what was searched for are shown at once, however old; no more than so many."""
MAX_ID = 2**63 - 1


class Place(NamedTuple):
    """Where a page begins: before one event, or after it. `shown` has been shown out of turn."""

    before: int | None = None
    after: int | None = None
    shown: tuple[int, ...] = ()


class Page(NamedTuple):
    """Events, newest first, and the ids from which its neighbours go on.

    `exact` are older than all of them; the older pages are told of them in `shown`, and leave them
    out. `stopped_at` is where the search ran out of time; `is_upward`: it went to the newer ones.
    """

    events: list[Event]
    newer: int | None = None
    older: int | None = None
    stopped_at: int | None = None
    is_upward: bool = False
    exact: Sequence[Event] = ()
    shown: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no event, but for those of `exact`."""
        return not self.events

    @property
    def go_on(self) -> dict[str, Any]:
        """The parameters of the page that the search goes on with."""
        if self.is_upward:
            return {"after": self.newer}
        return {"before": self.older, "shown": self.shown_text}

    @property
    def shown_text(self) -> str | None:
        """How an address carries `shown`."""
        return ",".join(map(str, self.shown)) or None


def find_page(scope: Scope, wanted: EventFilter, place: Place = Place()) -> Page:  # noqa: B008
    """The page of events older than `before`, or the one just newer than `after`."""
    if place.after is not None and place.before is None:
        return _find_newer(scope, wanted, place.after)
    return _find_older(scope, wanted, place)


def _find_newer(scope: Scope, wanted: EventFilter, after: int) -> Page:
    """The newest page, where that reaches so far. Nothing is left out as shown before."""
    ids, stopped_at = _find(scope, wanted, Place(after=after), SECONDS)
    nearest = ids[:PAGE_SIZE]
    if len(ids) > PAGE_SIZE:
        return Page(load_events(nearest), max(nearest), min(nearest))
    if stopped_at is not None:
        return Page(load_events(nearest), stopped_at - 1, after + 1, stopped_at, is_upward=True)
    newest = _find_older(scope, wanted, Place())
    if newest.older is None or newest.older <= after + 1:
        return newest
    return Page(load_events(nearest), older=after + 1)


def _find_older(scope: Scope, wanted: EventFilter, place: Place) -> Page:
    before, shown = place.before, place.shown if place.before is not None else ()
    text = wanted.value("q") if before is None else None
    exact = find_exact(scope, text, wanted.conditions()) if text else []
    if wanted.sifted_text:
        exact = sift_events(wanted.sifted_text, exact, time.monotonic() + SIFTING).kept
    # Where an index has answered, the rest of the log is left to whoever goes on.
    ids, stopped_at = _find(scope, wanted, Place(before, shown=shown), 0 if exact else SECONDS)
    nearest = ids[:PAGE_SIZE]
    newer = None if before is None else max(nearest, default=before - 1)
    older = min(nearest) if len(ids) > PAGE_SIZE else stopped_at
    beyond = [each for each in exact if older is not None and each < older][:MOST_EXACT]
    return Page(
        load_events(nearest),
        newer,
        older,
        stopped_at,
        exact=load_events(beyond) if beyond else (),
        shown=(*shown, *beyond),
    )


def _find(scope: Scope, wanted: EventFilter, place: Place, seconds: float) -> Found:
    """One more id than a page shows, in the order of the search, and where it ran out of time."""
    before, after, shown = place
    if not wanted:
        ids = list_ids(scope, PAGE_SIZE + 1, before=before, after=after)
        return Found(ids if after is None else ids[::-1])
    found = search(scope, wanted, PAGE_SIZE + 1 + len(shown), before, after, seconds)
    return Found([each for each in found.ids if each not in shown], found.stopped_at)


def read_id(text: str | None) -> int | None:
    if text and text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)):
        return min(int(text), MAX_ID)
    return None


def read_shown(text: str) -> tuple[int, ...] | None:
    """Numbers of events with commas between them; None for what is none, or more than are shown out
    of turn."""
    ids = [read_id(each) for each in text.split(",", MOST_EXACT)]
    known = tuple(each for each in ids if each is not None)
    return known if len(known) == len(ids) <= MOST_EXACT else None

"""Pages of the run history by key, the run that ended last first, and of runs that have not ended
the one that began last: never more work than a page may cost."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from app.console.event_search import SECONDS, find_runs
from app.console.places import Place
from app.console.run_filter import RunFilter
from app.console.search_sieve import SECONDS as SIFTING
from app.console.search_sieve import sift_runs
from app.console.url_filter import Condition
from app.extensions import db
from app.models import Run
from app.windows import FIRST_WINDOW, is_over, next_size

PAGE_SIZE = 50
MOST_EXACT = 20


class Page(NamedTuple):
    """Places of runs, the latest first, and from where its neighbours go on.

    The first page holds in `exact` the runs whose id is what was searched for, however old they
    are; no list has them once more. `stopped_at` is where the search ran out of time.
    """

    places: list[Place]
    newer: Place | None = None
    older: Place | None = None
    stopped_at: Place | None = None
    exact: Sequence[Place] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no run, but for those of `exact`."""
        return not self.places

    @property
    def go_on(self) -> dict[str, Any]:
        """The parameters of the page that the search goes on with."""
        return {"before": self.older}


def find_page(
    workspace_id: int,
    wanted: RunFilter,
    before: Place | None = None,
    after: Place | None = None,
) -> Page:
    """The page of runs behind `before`, or the one just ahead of `after`."""
    text = wanted.value("q")
    exact = _find_exact(workspace_id, wanted, text) if text else []
    if after is not None:
        found, stopped_at = search(workspace_id, wanted, after, exact, is_upward=True)
        if len(found) > PAGE_SIZE:
            shown = found[PAGE_SIZE - 1 :: -1]
            return Page(shown, newer=shown[0], older=shown[-1])
        if stopped_at is not None:
            return Page(found[::-1], newer=stopped_at, older=found[0] if found else after)
        before = None
    found, stopped_at = search(workspace_id, wanted, before, exact)
    shown = found[:PAGE_SIZE]
    newer = (shown[0] if shown else before) if before is not None else None
    first = exact if before is None else ()
    if len(found) > PAGE_SIZE:
        return Page(shown, newer, older=shown[-1], exact=first)
    return Page(shown, newer, older=stopped_at, stopped_at=stopped_at, exact=first)


def search(
    workspace_id: int,
    wanted: RunFilter,
    start: Place | None,
    exact: Sequence[Place] = (),
    *,
    is_upward: bool = False,
    limit: int = PAGE_SIZE + 1,
) -> tuple[list[Place], Place | None]:
    """So many (one more than a page shows), in the order of the search, and where it ran out of
    time.

    Without what is exact. Where an index has answered, the rest is left to whoever goes on.
    """
    indexed, others = wanted.indexed_conditions(workspace_id), wanted.other_conditions()
    if not others and not wanted.sifted_text:
        return _list(wanted, indexed, start, limit, is_upward), None
    if exact:
        others = [*others, Run.id.not_in([place.id for place in exact])]
    end = time.monotonic() + (0 if exact and start is None else SECONDS)
    found: list[Place] = []
    size = FIRST_WINDOW
    while True:
        started = time.monotonic()
        last = _end_of_window(wanted, indexed, start, size, is_upward)
        inside = [*indexed, *others, *([_up_to(wanted, last, is_upward)] if last else [])]
        room, until = limit - len(found), end + SIFTING
        more, stopped_at = _list_sifted(wanted, inside, start, room, is_upward, until)
        found += more
        if stopped_at is not None:
            return found, stopped_at
        if last is None or len(found) >= limit:
            return found, None
        seconds = time.monotonic() - started
        if is_over(end, seconds):
            return found, last
        start, size = last, next_size(size, seconds)
        time.sleep(0)  # Lets the other requests of the process have their turn.


def _list(
    wanted: RunFilter,
    conditions: Sequence[Condition],
    start: Place | None,
    limit: int,
    is_upward: bool,
) -> list[Place]:
    query = _ordered(wanted, conditions, start, is_upward).limit(limit)
    return [Place(*row) for row in db.session.execute(query)]


def _list_sifted(
    wanted: RunFilter,
    conditions: Sequence[Condition],
    start: Place | None,
    limit: int,
    is_upward: bool,
    until: float,
) -> tuple[list[Place], Place | None]:
    """Those that the reader may find, and where there was no time to look into more."""
    text, kept = wanted.sifted_text, list[Place]()
    if text is None:
        return _list(wanted, conditions, start, limit, is_upward), None
    while True:
        asked = limit - len(kept)
        found = _list(wanted, conditions, start, asked, is_upward)
        ids, read = sift_runs(text, [place.id for place in found], until)
        kept += [place for place in found if place.id in set(ids)]
        if len(kept) >= limit or (read == len(found) and len(found) < asked):
            return kept, None
        start = found[read - 1]
        if read < len(found) or time.monotonic() >= until:
            return kept, start


def _end_of_window(
    wanted: RunFilter,
    indexed: Sequence[Condition],
    start: Place | None,
    size: int,
    is_upward: bool,
) -> Place | None:
    """The last of so many runs; None where there are not that many any more."""
    row = db.session.execute(
        _ordered(wanted, indexed, start, is_upward).offset(size).limit(1)
    ).first()
    return Place(*row) if row else None


def _ordered(
    wanted: RunFilter, conditions: Sequence[Condition], start: Place | None, is_upward: bool
) -> Any:
    moment = wanted.moment
    query = select(moment, Run.id).where(moment.is_not(None), *conditions)
    if start is not None:
        query = query.where(_beyond(wanted, start, is_upward))
    if is_upward:
        return query.order_by(moment, Run.id)
    return query.order_by(moment.desc(), Run.id.desc())


def _beyond(wanted: RunFilter, place: Place, is_upward: bool) -> Condition:
    """The first half leads along the index, the second tells those of one moment apart."""
    moment, (at, run_id) = wanted.moment, place
    if is_upward:
        return (moment >= at) & ((moment > at) | (Run.id > run_id))
    return (moment <= at) & ((moment < at) | (Run.id < run_id))


def _up_to(wanted: RunFilter, place: Place, is_upward: bool) -> Condition:
    moment, (at, run_id) = wanted.moment, place
    if is_upward:
        return (moment <= at) & ((moment < at) | (Run.id <= run_id))
    return (moment >= at) & ((moment > at) | (Run.id >= run_id))


def _find_exact(workspace_id: int, wanted: RunFilter, text: str) -> list[Place]:
    """The latest runs whose id, execution id or correlation id is the text, by indexes alone."""
    if "\0" in text:
        return []
    mine = Run.workspace_id == workspace_id
    own_id = db.session.scalars(select(Run.id).where(Run.public_id == text))
    ids = {*own_id, *find_runs([workspace_id], text)}
    if not ids:
        return []
    fitting: Any = select(wanted.moment, Run.id).where(
        Run.id.in_(ids), mine, wanted.moment.is_not(None), *wanted.conditions()
    )
    places = sorted((Place(*row) for row in db.session.execute(fitting)), reverse=True)
    if wanted.sifted_text:
        until = time.monotonic() + SIFTING
        seen = set(sift_runs(wanted.sifted_text, [place.id for place in places], until).kept)
        places = [place for place in places if place.id in seen]
    return places[:MOST_EXACT]

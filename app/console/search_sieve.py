"""Keeps a search from telling what is hidden: whoever may not see it finds nothing by it.

The database searches what is stored. Of what it finds, only that is kept which holds the text in
what its reader sees; otherwise a search could read a hidden value, letter by letter.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

from sqlalchemy import Row, select

from app.console.body_places import BodyText
from app.console.event_text import JSON, PLAIN, fold, names_of
from app.extensions import db
from app.models import Event, Run
from app.redaction import mask_text, mask_value

SECONDS = 0.03
"""How long a page may look into what was found: a body of 400 bytes takes half a millisecond, one
of 64 KB a tenth of a second. What is left is for the next page; one is always looked into."""
_AT_ONCE = 20
_RUN_TEXTS = (
    Run.public_id,
    Run.external_execution_id,
    Run.source_workflow_id,
    Run.correlation_id,
    Run.error_type,
    Run.error_message,
)
_OF_EVENT = (Event.id, Event.headers, Event.body, Event.body_size, *PLAIN, *JSON)
_OF_RUN = (Run.id, Run.details, *_RUN_TEXTS)


class Sifted(NamedTuple):
    """Of the ids those that are kept, in their order, and how many were looked at, from the first
    on, before the time was over."""

    kept: list[int]
    read: int


class _Sought(NamedTuple):
    """The text as it stands in texts, and as JSON writes it; both without case."""

    plain: str
    escaped: str


class Step(Protocol):
    """Events that a search looks at in one statement."""

    def behind(self, event_id: int, is_upward: bool) -> Self: ...


class Sieve(NamedTuple):
    """Takes out of a step what the reader may not find, and looks on in it for as many others."""

    text: str
    look: Callable[..., list[int]]
    is_upward: bool
    until: float | None

    def sift(self, step: Step, found: list[int], limit: int) -> tuple[list[int], int | None]:
        """Up to so many, and where it ran out of time."""
        kept: list[int] = []
        while found:
            asked = limit - len(kept)
            more, read = sift_events(self.text, found, self.until)
            kept += more
            last = found[read - 1]
            if len(kept) >= limit or (read == len(found) and len(found) < asked):
                break
            if read < len(found) or self._is_over():
                return kept, last + 1 if self.is_upward else last
            step = step.behind(last, self.is_upward)
            found = self.look(step, limit=limit - len(kept))
        return kept, None

    def _is_over(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until


def sift_events(text: str, ids: Sequence[int], until: float | None = None) -> Sifted:
    """`until`: of `time.monotonic()`; None is without an end."""
    return _sift(Event, _OF_EVENT, _shows_in_event, text, ids, until)


def sift_runs(text: str, ids: Sequence[int], until: float | None = None) -> Sifted:
    return _sift(Run, _OF_RUN, _shows_in_run, text, ids, until)


def _sift(
    entity: Any, columns: Any, shows: Any, text: str, ids: Sequence[int], until: float | None
) -> Sifted:
    sought = _Sought(fold(text), fold(json.dumps(text)[1:-1]))
    kept: list[int] = []
    for read, (each, row) in enumerate(_load(entity, columns, ids), 1):
        if row is not None and shows(sought, row):
            kept.append(each)
        if until is not None and time.monotonic() >= until:
            return Sifted(kept, read)
        time.sleep(0)  # Lets the other requests of the process have their turn.
    return Sifted(kept, len(ids))


def _load(entity: Any, columns: Any, ids: Sequence[int]) -> Iterator[tuple[int, Row[Any] | None]]:
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        rows = db.session.execute(select(*columns).where(entity.id.in_(part)))
        by_id = {row.id: row for row in rows}
        for each in part:
            yield each, by_id.get(each)


def _shows_in_event(sought: _Sought, row: Row[Any]) -> bool:
    _, headers, raw, size, *rest = list(row)
    texts, values = rest[: len(PLAIN)], rest[len(PLAIN) :]
    kind = next((value for name, value in headers if name == "Content-Type"), None)
    body = BodyText(raw, kind, size is not None and len(raw) < size)
    return _shows(sought, [*texts, *(names_of(row.code) if row.code else ())], values, body)


def _shows_in_run(sought: _Sought, row: Row[Any]) -> bool:
    _, details, *texts = list(row)
    return _shows(sought, texts, [details])


def _shows(
    sought: _Sought,
    texts: Iterable[str | None],
    values: Iterable[Any],
    body: BodyText | None = None,
) -> bool:
    """Whether the text stands in what is shown. Where nothing is hidden, the database is right."""
    hides = False
    for text in filter(None, texts):
        shown = mask_text(text)
        if sought.plain in fold(shown):
            return True
        hides = hides or shown != text
    if body is not None:
        if sought.plain in fold(body.redacted.shown):
            return True
        hides = hides or body.redacted.hides
    for value in values:
        shown = mask_value(value)
        if value is not None and sought.escaped in fold(json.dumps(shown, separators=(",", ":"))):
            return True
        hides = hides or shown != value
    return not hides

"""What open pages are told: rows, changes of rows, and how many rows were left out."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from app.console.event_filter import EventFilter
from app.models import Event

ROWS_AT_A_TIME = 20
"""Are drawn without a pause: some milliseconds."""

Wanted = EventFilter | None
Form = Literal["new", "changed", "gone"]
"""`changed` replaces a row where a page shows it, and `gone` takes it away there."""


@dataclass(frozen=True, slots=True)
class Gap:
    """So many events from `first` to `last` were left out; what is told between them was not.

    `is_least`: at least so many.
    """

    first: int
    last: int
    count: int
    cursor: int | None = None
    is_least: bool = False


class Draw(Protocol):
    """Makes HTML of what is told."""

    def row(self, event: Event, replaces: bool) -> str: ...

    def gap(self, gap: Gap, wanted: Wanted) -> str: ...


@dataclass(slots=True, eq=False)
class Notice:
    """A row, drawn once for all who see it."""

    event: Event
    html: dict[bool, str] = field(default_factory=dict)

    def draw(self, draw: Draw, form: Form) -> str:
        if form == "gone":
            return _TAKE_AWAY.format(self.event.public_id)
        replaces = form == "changed"
        if replaces not in self.html:
            self.html[replaces] = draw.row(self.event, replaces)
        return self.html[replaces]


_TAKE_AWAY = '<tr id="event-{}" hx-swap-oob="delete"></tr>'


class Told(NamedTuple):
    """A row, in which form, and the cursor that a page goes on behind once it has it."""

    notice: Notice
    form: Form
    cursor: int | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """What one look has to tell the pages with the same view; written once for all of them."""

    items: Sequence[Told | Gap]
    wanted: Wanted = None
    _encoded: bytes | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def encoded(self, draw: Draw) -> bytes:
        with self._turn:
            if self._encoded is None:
                self._encoded = self.text(draw).encode()
            return self._encoded

    def text(self, draw: Draw) -> str:
        return "".join(self._messages(draw))

    def _messages(self, draw: Draw) -> Iterator[str]:
        for number, each in enumerate(self.items, 1):
            if isinstance(each, Gap):
                html = draw.gap(each, self.wanted)
            else:
                html = each.notice.draw(draw, each.form)
            yield frame(html, each.cursor)
            if number % ROWS_AT_A_TIME == 0:
                time.sleep(0)  # Lets the other requests of the process have their turn.


def tell_new(event: Event, wanted: Wanted) -> Told:
    return Told(Notice(event), "new", cursor_of(event.id, wanted))


def cursor_of(event_id: int, wanted: Wanted) -> int | None:
    """Behind the cursor nothing is told again: a page whose rows may come late gets none."""
    return None if wanted and wanted.may_come_true else event_id


def frame(html: str, cursor: int | None) -> str:
    """A server-sent event; line breaks in the HTML can't end it or begin another."""
    head = f"id: {cursor}\n" if cursor is not None else ""
    return head + "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"

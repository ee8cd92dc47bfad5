"""A body as numbered lines, coloured, with the places marked; a long one around the first mark."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from app.console.body_places import BodyText, Place
from app.console.json_view import Token
from app.console.signs import show_signs

FOLDED_LENGTH = 8_000
_BEFORE_THE_MARK = 2_000
_MOST_COLOURED = 1_500
"""Beyond so many coloured pieces a page grows too large: the rest stays plain."""
_CLASSES = {
    "key": "jk",
    "string": "js",
    "number": "jn",
    "literal": "jl",
    "bad": "jb",
    "open": "jb",
}

Piece = tuple[str, int, int, Place | None]


class Line(NamedTuple):
    """A line of the body; `number` counts from 1."""

    number: int
    html: Markup
    is_marked: bool


class BodyView(NamedTuple):
    """The lines that are shown, and how many characters were left out before and after them."""

    lines: list[Line]
    left_out_before: int
    left_out_after: int
    places: list[Place]
    end: int

    def shows(self, place: Place) -> bool:
        """Whether the place is not folded away."""
        return self.left_out_before <= place.start <= self.end

    @property
    def is_folded(self) -> bool:
        return bool(self.left_out_before or self.left_out_after)


def view_body(body: BodyText, places: list[Place], whole: bool = False) -> BodyView:
    """The lines of a body; unless `whole`, of a long one those around the first mark."""
    return _view(body.text, body.tokens, places, _OpenLine("mark"), whole)


def view_new(text: str, tokens: Sequence[Token], places: list[Place]) -> BodyView:
    """The lines of a text, with the places marked as new in it; folded likewise."""
    return _view(text, tokens, places, _OpenLine("ins"), False)


def _view(
    text: str, tokens: Sequence[Token], places: list[Place], line: "_OpenLine", whole: bool
) -> BodyView:
    start, end = 0, len(text)
    if not whole and len(text) > FOLDED_LENGTH:
        start, end = _choose_window(text, places)
    pieces = _cut(tokens, places, start, end)
    lines = _write_lines(text, pieces, text.count("\n", 0, start) + 1, line)
    return BodyView(lines, start, len(text) - end, places, end)


def _choose_window(text: str, places: Sequence[Place]) -> tuple[int, int]:
    first = places[0].start if places else 0
    start = max(0, first - _BEFORE_THE_MARK)
    line_start = text.rfind("\n", 0, start) + 1
    if start - line_start < _BEFORE_THE_MARK:
        start = line_start
    end = min(len(text), start + FOLDED_LENGTH)
    line_end = text.find("\n", end, end + 500)
    return start, end if line_end < 0 else line_end


def _cut(tokens: Sequence[Token], places: Sequence[Place], start: int, end: int) -> Iterator[Piece]:
    """The tokens within the window, cut where marks begin and end."""
    edges = sorted({edge for place in places for edge in (place.start, place.end)})
    starts = [place.start for place in places]
    first = max(0, bisect_right(tokens, start, key=lambda token: token.start) - 1)
    for token in tokens[first:]:
        at, stop = max(token.start, start), min(token.end, end)
        if at >= end:
            break
        inner = edges[bisect_right(edges, at) : bisect_left(edges, stop)]
        for edge in (*inner, stop):
            if edge > at:
                yield token.kind, at, edge, _place_at(places, starts, at)
            at = edge
    for place in places:
        if place.start == place.end == end:
            yield "", end, end, place


def _place_at(places: Sequence[Place], starts: Sequence[int], at: int) -> Place | None:
    found = bisect_right(starts, at) - 1
    return places[found] if found >= 0 and at < places[found].end else None


def _write_lines(text: str, pieces: Iterable[Piece], number: int, line: "_OpenLine") -> list[Line]:
    lines: list[Line] = []
    coloured = 0
    for kind, start, end, place in pieces:
        css = _CLASSES.get(kind, "") if coloured < _MOST_COLOURED else ""
        coloured += bool(css)
        for index, part in enumerate(text[start:end].split("\n")):
            if index:
                lines.append(line.close(number + len(lines)))
            line.add(part, css, place)
    lines.append(line.close(number + len(lines)))
    return lines


class _OpenLine:
    """A line under way: which mark is open in it, and which have an id already.

    Places are written as `mark`, which is tied to its note below the body, or as `ins`.
    """

    def __init__(self, element: str) -> None:
        self._element = element
        self._parts: list[str] = []
        self._open: Place | None = None
        self._named: set[int] = set()
        self._is_marked = False

    def add(self, part: str, css: str, place: Place | None) -> None:
        self._switch(place)
        if part:
            shown = escape(show_signs(part.removesuffix("\r")), quote=False)
            self._parts.append(f'<span class="{css}">{shown}</span>' if css else shown)

    def close(self, number: int) -> Line:
        """The line is over; a mark that is open goes on in the next one."""
        is_marked, html = self._is_marked, "".join(self._parts)
        if self._open:
            html += f"</{self._element}>"
        self._parts, self._open, self._is_marked = [], None, False
        # All that is not ours in it went through `escape`.
        return Line(number, Markup(html), is_marked)  # noqa: S704

    def _switch(self, place: Place | None) -> None:
        if place is self._open:
            return
        if self._open:
            self._parts.append(f"</{self._element}>")
        if place and self._element == "ins":
            self._parts.append("<ins>")
        elif place:
            name = "" if place.number in self._named else f' id="place-{place.number}"'
            self._named.add(place.number)
            self._parts.append(
                f'<mark{name} data-tone="{place.tone}"'
                f' aria-describedby="place-{place.number}-note">'
            )
        self._is_marked |= place is not None
        self._open = place

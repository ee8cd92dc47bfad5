"""A body as numbered lines, coloured, with places marked; of a long one the parts around them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from markupsafe import Markup

from app.console.body_places import BodyText, Place
from app.json_tokens import Token
from app.signs import show_signs

MOST_BYTES = 20_000
"""Of the HTML that shows a body, or a corrected one: a page holds both beside all else."""
MOST_LINES = 300
_WIDEST, _NARROWEST = 20_000, 64
"""Characters to show from a mark on: as many as fit, found by halving."""
_MOST_MARKS = 30
_NEAR = 100
"""Less than so many characters are not worth leaving out."""
_LINES_BEFORE = 8
"""The most that are shown before a mark: it stands in sight without scrolling."""
_BYTES_A_LINE = 45
_CLASSES = {
    "key": "jk",
    "string": "js",
    "number": "jn",
    "literal": "jl",
    "bad": "jb",
    "open": "jb",
}

Piece = tuple[str, int, int, Place | None]
Span = tuple[int, int]


class Line(NamedTuple):
    """A line of the body; `number` counts from 1."""

    number: int
    html: Markup
    is_marked: bool

    @property
    def weight(self) -> int:
        """In bytes, with what stands around it on the page."""
        return len(self.html.encode()) + _BYTES_A_LINE


class Part(NamedTuple):
    """A part that is shown, and how many characters were left out just before it."""

    start: int
    end: int
    left_out: int
    lines: list[Line]


class BodyView(NamedTuple):
    """The parts that are shown, and how many characters were left out after the last."""

    parts: list[Part]
    left_out_after: int
    places: list[Place]

    def shows(self, place: Place) -> bool:
        """Whether the place is not folded away."""
        at, is_empty = place.start, place.start == place.end
        return any(part.start <= at < part.end + is_empty for part in self.parts)

    @property
    def is_folded(self) -> bool:
        return bool(self.left_out_after or any(part.left_out for part in self.parts))

    @property
    def end(self) -> int:
        return self.parts[-1].end


def view_body(body: BodyText, places: list[Place], begin: int | None = None) -> BodyView:
    """The lines of a body; of a long one those around its marks, or from `begin` on."""
    return _view(body.text, body.tokens, places, "mark", begin)


def view_new(text: str, tokens: Sequence[Token], places: list[Place]) -> BodyView:
    """The lines of a text, with the places marked as new in it; folded likewise."""
    return _view(text, tokens, places, "ins", None)


def _view(
    text: str, tokens: Sequence[Token], places: list[Place], element: str, begin: int | None
) -> BodyView:
    """The largest parts that are light enough; the smallest always are."""
    return next(
        view
        for spans in _propose_spans(text, places, begin)
        if (view := _write_parts(text, spans, tokens, places, _OpenLine(element)))
    )


def _propose_spans(text: str, places: Sequence[Place], begin: int | None) -> Iterator[list[Span]]:
    """Spans of the text to show, each time smaller or fewer ones."""
    if begin is None and len(text) <= MOST_BYTES and text.count("\n") < MOST_LINES:
        yield [(0, len(text))]
    anchors = [place.start for place in places[:_MOST_MARKS]] or [0]
    if begin is not None:
        anchors = [max(0, min(begin, len(text)))]
    width = _WIDEST
    while width > _NARROWEST:
        yield _choose_spans(text, anchors, width, before=0 if begin is not None else width // 3)
        width //= 2
    while anchors:
        yield _choose_spans(text, anchors, width, before=0)
        anchors = anchors[: len(anchors) // 2]


def _choose_spans(text: str, anchors: Sequence[int], width: int, before: int) -> list[Span]:
    """Around each anchor, from the beginning of a line to the end of one where these are near."""
    spans: list[Span] = []
    for anchor in anchors:
        near = max(before, min(width // 2, _NEAR))
        start, end = max(0, anchor - before), min(len(text), anchor + width)
        further, *lines = text[start:anchor].rsplit("\n", _LINES_BEFORE)
        start += len(further) + 1 if len(lines) == _LINES_BEFORE else 0
        line_start, line_end = text.rfind("\n", 0, start) + 1, text.find("\n", end, end + near)
        start = line_start if start - line_start <= near else start
        end = line_end if line_end >= 0 else end
        end = len(text) if len(text) - end <= _NEAR else end
        if spans and start - spans[-1][1] <= _NEAR:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def _write_parts(
    text: str,
    spans: Sequence[Span],
    tokens: Sequence[Token],
    places: list[Place],
    line: "_OpenLine",
) -> BodyView | None:
    """None where they would weigh too much. Each sign weighs a byte or more."""
    if sum(end - start for start, end in spans) > MOST_BYTES:
        return None
    if sum(text.count("\n", *span) for span in spans) > MOST_LINES:
        return None
    parts: list[Part] = []
    weight = count = shown = 0
    for start, end in spans:
        lines: list[Line] = []
        number = text.count("\n", 0, start) + 1
        for each in _write_lines(text, _cut(tokens, places, start, end), number, line):
            weight, count = weight + each.weight, count + 1
            if weight > MOST_BYTES or count > MOST_LINES:
                return None
            lines.append(each)
        parts.append(Part(start, end, start - shown, lines))
        shown = end
    return BodyView(parts, len(text) - shown, places)


def _cut(tokens: Sequence[Token], places: Sequence[Place], start: int, end: int) -> Iterator[Piece]:
    """The tokens within the window, cut where marks begin and end."""
    edges = sorted({edge for place in places for edge in (place.start, place.end)})
    starts = [place.start for place in places]
    first = max(0, bisect_right(tokens, start, key=lambda token: token.start) - 1)
    for index in range(first, len(tokens)):
        token = tokens[index]
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


def _write_lines(
    text: str, pieces: Iterable[Piece], number: int, line: "_OpenLine"
) -> Iterator[Line]:
    for kind, start, end, place in pieces:
        css = _CLASSES.get(kind, "")
        for index, part in enumerate(text[start:end].split("\n")):
            if index:
                yield line.close(number)
                number += 1
            line.add(part, css, place)
    yield line.close(number)


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

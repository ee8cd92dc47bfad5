"""Where in a stored body the places are that its errors and warnings speak of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from app.console.json_view import Member, list_form_members, list_members
from app.encodings import Decoded, decode
from app.ingest.body import read_object
from app.ingest.places import locate
from app.ingest.service import ingest_service
from app.ingest.slips import is_form
from app.json_tokens import Token, scan, scan_form
from app.problems import ProblemError, presentable, shorten
from app.redaction import redact, redact_all
from app.secret_texts import Redacted

_FORM = "application/x-www-form-urlencoded"
_LONGEST_SLIP = 80
_HALVES = re.compile("[\ud800-\udfff]")
"""Of signs that are written as two; no page can show one."""
_NAMES_ANOTHER = frozenset({"missing", "wrapped_in_envelope"})
"""Of these, `received` is the name of the member that was meant."""
_ABOUT_THE_NAME = frozenset({"duplicate_member", "misspelt_field", "unknown_field"})

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class BodyText:
    """A stored body as text, with what it came as."""

    raw: bytes
    content_type: str | None
    is_cut: bool

    @cached_property
    def text(self) -> str:
        """What means nothing is �; a sign that was cut in half at the end is left out."""
        if self._decoded.codec == "utf-8":
            text = self.raw.decode("utf-8", "replace")
        else:
            text = _HALVES.sub("\N{REPLACEMENT CHARACTER}", self._decoded.text)
        return text.rstrip("\N{REPLACEMENT CHARACTER}") if self.is_cut else text

    @cached_property
    def _decoded(self) -> Decoded:
        return decode(self.raw)

    @property
    def encoding(self) -> str:
        """As people call it: `UTF-8`, `UTF-16`, `UTF-32`."""
        return self._decoded.name

    @cached_property
    def is_utf8(self) -> bool:
        if self._decoded.codec != "utf-8":
            return False
        try:
            self.raw.decode()
        except UnicodeDecodeError as error:
            return self.is_cut and error.start >= len(self.raw) - 3
        return True

    @property
    def is_readable(self) -> bool:
        """Whether there is a way to tell what it says, and so what of it is secret."""
        return self._decoded.is_readable

    def find_sign(self, offset: int) -> int:
        """The index of the sign that the byte at this offset belongs to."""
        if self._decoded.codec == "utf-8":
            return len(self.raw[:offset].decode("utf-8", "replace"))
        return self._decoded.index_of(offset)

    @cached_property
    def is_form(self) -> bool:
        media = (self.content_type or "").partition(";")[0].strip().lower()
        return media == _FORM and is_form(self.text)

    @cached_property
    def tokens(self) -> list[Token]:
        return scan_form(self.text) if self.is_form else scan(self.text)

    @cached_property
    def redacted(self) -> Redacted:
        """What of it is shown to those who may not see all."""
        if not self.is_readable:
            return redact_all(self.text)
        return redact(self.text, is_form=self.is_form)

    @cached_property
    def members(self) -> list[Member]:
        if self.is_form:
            return list_form_members(self.text)
        return list_members(self.text, self.tokens)

    def find_member(self, name: str) -> Member | None:
        """The last member of this name, as errors and warnings write names."""
        for member in reversed(self.members):
            if name in (member.name, shorten(presentable(member.name))):
                return member
        return None


class Place(NamedTuple):
    """A part of a body that findings speak of; several may speak of the same."""

    number: int
    start: int
    end: int
    line: int
    column: int
    tone: str
    notes: tuple[str, ...]


def find_places(
    body: BodyText, errors: Sequence[Entry], warnings: Sequence[Entry]
) -> tuple[list[Place], dict[int, Place]]:
    """The places in their order, and which of them each entry speaks of (errors come first)."""
    spans = [_find_slip(body, entry) or _find_span(body, entry) for entry in errors]
    spans += [_find_span(body, entry) for entry in warnings]
    entries = [*errors, *warnings]
    found = sorted((span, index) for index, span in enumerate(spans) if span)
    places: list[Place] = []
    of_entry: dict[int, int] = {}
    for (start, end), index in found:
        note = str(entries[index].get("message") or "")
        if places and start < places[-1].end:
            places[-1] = _join(places[-1], end, index < len(errors), note)
        else:
            tone = "red" if index < len(errors) else "amber"
            where = locate(body.text, start)
            places.append(Place(len(places) + 1, start, end, *where, tone, (note,)))
        of_entry[index] = len(places) - 1
    return places, {index: places[at] for index, at in of_entry.items()}


def _join(place: Place, end: int, is_error: bool, note: str) -> Place:
    tone = "red" if is_error else place.tone
    return place._replace(end=max(place.end, end), tone=tone, notes=(*place.notes, note))


def _find_slip(body: BodyText, entry: Entry) -> tuple[int, int] | None:
    """The exact place of a slip in the JSON, found by reading the body again."""
    code = str(entry.get("code"))
    if not code.startswith("json_"):
        return None
    try:
        read_object(body.raw, body.content_type, ingest_service().max_json_depth)
    except ProblemError as problem:
        if problem.position is None or problem.errors[0].code != code:
            return None
        start = body.find_sign(problem.position.offset)
        return start, _end_of_slip(body, start)
    return None


def _end_of_slip(body: BodyText, start: int) -> int:
    """The end of the piece that begins there, or else of that one sign."""
    for token in body.tokens:
        if token.end > start:
            if token.start < start or token.kind == "space":
                return start + 1
            return min(token.end, start + _LONGEST_SLIP)
    return start


def _find_span(body: BodyText, entry: Entry) -> tuple[int, int] | None:
    code, field = str(entry.get("code")), str(entry.get("field"))
    if field == "body" or code.startswith("json_"):
        return None
    name = str(entry["received"]) if code in _NAMES_ANOTHER and entry.get("received") else field
    member = body.find_member(name)
    if member is None:
        return None
    if code in _ABOUT_THE_NAME or name != field:
        return member.key
    return member.key[0], member.value[1]

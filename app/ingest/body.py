"""Reads a request's body as one JSON object, liberally; what can't be read is explained."""

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from app.ingest import places, slips
from app.ingest.slips import Slip
from app.percent_encoding import read_pairs
from app.problems import FieldError, ProblemError

MAX_DEPTH = 64
_MAX_FORM_FIELDS = 1000
_MAX_NAMED_DUPLICATES = 5
_BOM = b"\xef\xbb\xbf"
_LOST_PLUS = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)? \d\d(?::?\d\d)?", re.ASCII
)
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class ReadBody(dict[str, Any]):
    """The members of a body, with what was tolerated in reading them.

    `odd_characters`: some text in it may hold a NUL or a lone surrogate. `max_depth`: how deep
    the body may be nested, itself included. `is_of_batch`: its kind is a member beside its fields,
    not its address.
    """

    __slots__ = ("is_of_batch", "max_depth", "odd_characters", "warnings")

    def __init__(
        self,
        members: dict[str, Any] | Iterable[tuple[str, Any]] = (),
        warnings: list[FieldError] | None = None,
        odd_characters: bool = False,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        super().__init__(members)
        self.warnings = [] if warnings is None else warnings
        self.odd_characters = odd_characters
        self.max_depth = max_depth
        self.is_of_batch = False


class Parsed(NamedTuple):
    """A JSON value, the names that one object had twice, and whether odd characters may occur."""

    value: Any
    duplicates: tuple[str, ...]
    odd_characters: bool


class _DuplicateError(Exception):
    pass


def read_object(raw: bytes, content_type: str | None, max_depth: int = MAX_DEPTH) -> ReadBody:
    """The object that `raw` holds, as JSON or, where `content_type` says so, as form fields.

    Raises ProblemError `invalid_json` with the slip's code, place and surroundings.
    """
    media = _read_media(content_type)
    shift = len(_BOM) if raw.startswith(_BOM) else 0
    text = _decode(raw, shift)
    if media == "form" and slips.is_form(text):
        return _read_form(text, max_depth)
    try:
        parsed = parse_json(text, max_depth)
    except Slip as slip:
        raise _refuse(slips.MULTIPART if media == "multipart" else slip, text, shift) from None
    warnings = [] if media == "json" else [_warn_of_media(content_type)]
    if type(parsed.value) is str:
        parsed = _read_inner(parsed.value, text, max_depth)
        warnings.append(FieldError("body", "double_encoded", "The event was JSON inside a text."))
    if type(parsed.value) is not dict:
        raise _refuse(slips.name_shape(parsed.value, text), text, shift)
    warnings += [_warn_of_duplicate(name) for name in parsed.duplicates]
    return ReadBody(parsed.value, warnings, parsed.odd_characters, max_depth)


def parse_json(text: str, max_depth: int) -> Parsed:
    """The JSON value of `text`, at most `max_depth` levels deep; raises Slip."""
    try:
        value, duplicates = _load(text)
    except RecursionError:
        raise slips.name_depth(text, max_depth) from None
    except ValueError as error:
        raise slips.name_slip(text, error) from None
    if text.count("{") + text.count("[") > max_depth and _is_deeper(value, max_depth):
        raise slips.name_depth(text, max_depth)
    return Parsed(value, duplicates, "\\u" in text and _ODD_ESCAPE.search(text) is not None)


def _decode(raw: bytes, shift: int) -> str:
    try:
        return raw.decode()[1:] if shift else raw.decode()
    except UnicodeDecodeError as error:
        slip = slips.name_encoding(raw, error.start)
        raise _refuse(slip, raw[shift:].decode("utf-8", "replace"), shift, error.start) from None


@lru_cache(maxsize=256)
def _read_media(content_type: str | None) -> str:
    media = (content_type or "").partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return "json"
    if media == "application/x-www-form-urlencoded":
        return "form"
    return "multipart" if media.startswith("multipart/") else "other"


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise slips.NotFiniteError(text)
    return value


def _refuse_constant(text: str) -> None:
    raise slips.NotFiniteError(text)


def _without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) != len(members):
        raise _DuplicateError
    return unique


def _make_decoder(hook: Callable[[list[tuple[str, Any]]], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=hook, parse_float=_finite, parse_constant=_refuse_constant
    )


_DECODER = _make_decoder(_without_duplicates)


def _load(text: str) -> tuple[Any, tuple[str, ...]]:
    """Decodes a second time, noting the names, where the first time met a duplicate."""
    try:
        return _DECODER.decode(text), ()
    except _DuplicateError:
        pass
    twice: dict[str, None] = {}

    def note(members: list[tuple[str, Any]]) -> dict[str, Any]:
        unique: dict[str, Any] = {}
        for name, value in members:
            if name in unique and len(twice) < _MAX_NAMED_DUPLICATES:
                twice[name] = None
            unique[name] = value
        return unique

    return _make_decoder(note).decode(text), tuple(twice)


def _is_deeper(value: Any, levels: int) -> bool:
    """Level by level, so that no depth can exhaust the stack."""
    containers = [value] if isinstance(value, dict | list) else []
    while containers:
        if levels == 0:
            return True
        levels -= 1
        containers = [
            child
            for container in containers
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    return False


def _read_inner(inner: str, text: str, max_depth: int) -> Parsed:
    if not inner.lstrip().startswith("{"):
        return Parsed(inner, (), False)
    try:
        return parse_json(inner, max_depth)
    except Slip as slip:
        raise _refuse(slip, inner, None) from None


def _read_form(text: str, max_depth: int) -> ReadBody:
    if slips.has_stray_percent_signs(text.count("%"), len(text)):
        slip = Slip("json_form_body", "Most of the form's percent signs are no escapes.", 0)
        raise _refuse(slip, text, 0)
    if text.count("&") >= _MAX_FORM_FIELDS:
        slip = Slip("json_form_body", f"The form has more than {_MAX_FORM_FIELDS} fields.", 0)
        raise _refuse(slip, text, 0)
    try:
        pairs = read_pairs(text.strip(), "strict")
    except UnicodeDecodeError:
        slip = Slip("json_invalid_utf8", "A form field holds an escape that is not UTF-8.", 0)
        raise _refuse(slip, text, 0) from None
    warnings = [FieldError("body", "form_encoded", "The fields were read from a form.")]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = dict.fromkeys(name for name in names if names.count(name) > 1)
        warnings += [_warn_of_duplicate(name) for name in list(twice)[:_MAX_NAMED_DUPLICATES]]
    pairs = [(name, _mend_plus(name, value, warnings)) for name, value in pairs]
    odd = any("\0" in value for _, value in pairs)
    return ReadBody(pairs, warnings, odd, max_depth)


def _mend_plus(name: str, value: str, warnings: list[FieldError]) -> str:
    """In a form a plus that is not escaped means a blank; in a time it can only be an offset's."""
    if not _LOST_PLUS.fullmatch(value):
        return value
    mended = "+".join(value.rsplit(" ", 1))
    message = f"{name} came as {value!r}: the + of its offset was not escaped. It was put back."
    warnings.append(FieldError(name, "plus_not_escaped", message, received=value))
    return mended


def _refuse(slip: Slip, text: str, shift: int | None, offset: int | None = None) -> ProblemError:
    """`shift`: bytes before `text` in the body; None where `text` is no part of the body."""
    snippet = places.show_place(text, slip.at)
    line, column = places.locate(text, slip.at)
    message = places.say_of(slip.message, text, slip.at)
    error = FieldError("body", slip.code, message, slip.fix, snippet)
    place = f" (line {line}, column {column}: {snippet})" if snippet else ""
    detail = f"{message.removesuffix('.')}{place}. {error.fix}"
    position = None
    if shift is not None:
        position = places.make_position(text, slip.at, shift, offset)
    return ProblemError("invalid_json", detail, [error], position=position)


def _warn_of_media(content_type: str | None) -> FieldError:
    said = f"says {content_type[:80]}" if content_type else "is missing"
    message = f"The body was read as JSON, although Content-Type {said}."
    return FieldError("body", "content_type", message, received=content_type)


def _warn_of_duplicate(name: str) -> FieldError:
    return FieldError(name, "duplicate_member", f"{name[:80]} is given twice; the last one counts.")

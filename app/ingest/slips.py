"""Names the slip in a text that is not the JSON object it should be."""

import re
from json import JSONDecodeError
from typing import Any

from app.encodings import decode
from app.ingest.packed_bodies import name_packing
from app.ingest.places import Place
from app.ingest.slip_rules import RULES
from app.problems import PROBLEMS

_LONGEST_NUMBER = 4300
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_BARE = re.compile(rf'{_STRING}|[^\s,:\[\]{{}}"]+', re.DOTALL)
_BRACKET = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_FORM = re.compile(r"\s*[\w.%+\-\[\]]+=")


class NotFiniteError(ValueError):
    """A number that is none; its text is the argument."""


class Slip(Exception):
    """What is wrong with a text, and at which character of it (from 0)."""

    def __init__(self, code: str, message: str, at: int, fix: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.at = code, message, at
        self.fix = fix or PROBLEMS[code].fix


MULTIPART = Slip("json_multipart", "The body is a multipart form, not JSON.", 0)


def name_slip(text: str, error: ValueError) -> Slip:
    """The slip behind an error of the JSON decoder."""
    if isinstance(error, NotFiniteError):
        number = str(error)
        at = _find_bare(text, lambda bare: bare == number)
        shown = number if len(number) < 40 else number[:39] + "…"
        return Slip("json_not_finite", f"{shown} is not a finite number.", at)
    if not isinstance(error, JSONDecodeError):
        at = _find_bare(text, lambda bare: len(bare) > _LONGEST_NUMBER)
        return Slip("json_number_too_long", "A number has more than 4,300 digits.", at)
    if "\0" in text[:4]:
        return Slip("json_invalid_utf8", "The body is UTF-16 or UTF-32, not UTF-8.", 0)
    place = Place(text, error.pos, error.msg)
    for rule in RULES:
        found = rule(place)
        if found:
            return Slip(*found)
    return Slip("json_syntax", f"{error.msg.capitalize()}.", error.pos)


def name_encoding(raw: bytes, at: int) -> Slip:
    """The slip in bytes that are not UTF-8 from the byte `at` on."""
    if packing := name_packing(raw):
        return Slip("json_compressed", f"The body is compressed ({packing}).", 0)
    body = decode(raw)
    if body.codec != "utf-8":
        return Slip("json_invalid_utf8", f"The body is {body.name}, not UTF-8.", 0)
    message = f"The byte 0x{raw[at]:02X} at offset {at} makes no UTF-8 character."
    character = raw[at : at + 1].decode("cp1252", "ignore")
    if character.isalpha():
        message = f'{message[:-1]}; in Windows-1252 it is "{character}".'
    before = raw[:at].removeprefix(b"\xef\xbb\xbf")
    return Slip("json_invalid_utf8", message, len(before.decode()))


def name_depth(text: str, max_depth: int) -> Slip:
    """The place where a text opens one level too many."""
    depth = at = 0
    for match in _BRACKET.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(match[0], 0)
        if depth > max_depth:
            at = match.start()
            break
    return Slip("json_too_deep", f"The body is nested deeper than {max_depth} levels.", at)


def name_shape(value: Any, text: str) -> Slip:
    """The slip of a body that is JSON, but no object."""
    shape = _describe(value)
    at = len(text) - len(text.lstrip())
    fix = None
    if isinstance(value, list) and len(value) == 1:
        fix = "Send the object itself, without the [ ] around it."
    return Slip("json_not_an_object", f"The body is {shape}, not one object.", at, fix)


def is_form(text: str) -> bool:
    """Whether a text reads as name=value&name=value."""
    return _FORM.match(text) is not None


def has_stray_percent_signs(signs: int, size: int) -> bool:
    """Whether so many in a form of this size can't all be escapes, with two digits behind each: to
    tell such ones apart takes a second for 4 MB."""
    return signs * 3 > size


def _find_bare(text: str, test: Any) -> int:
    for match in _BARE.finditer(text):
        if not match[0].startswith('"') and test(match[0]):
            return match.start()
    return 0


def _describe(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)} items" if len(value) != 1 else "a list of one item"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    return {True: "true", False: "false", None: "null"}[value]

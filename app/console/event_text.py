"""Free text in events as conditions for SQL: literal, without case in ASCII, alike everywhere."""

import json
import re
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Text, case, cast, func, literal, or_, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import is_sqlite
from app.models import Event
from app.problems import PROBLEMS, public_code

Condition = ColumnElement[bool]

BODY_BYTES = 65_536
"""How much of a body is searched."""
PLAIN = (
    Event.public_id,
    Event.execution_id,
    Event.correlation_id,
    Event.reference,
    Event.code,
    Event.detail,
    Event.failure,
)
JSON = (Event.errors, Event.warnings, Event.payload)
"""Columns of JSON in ASCII: a text stands in them as JSON writes it."""
_PATTERN_SIGNS = re.compile(r"[%_\\]")
_NUL, _STAND_IN = "\0", "\xff"


def contains_text(text: str) -> Condition:
    """Events that hold the text: in an id, an error, the payload, a problem's title, or the body.

    Nothing in it is a sign of a pattern; letters A to Z equal a to z, all others only themselves.
    """
    needle, escaped = fold(text), fold(json.dumps(text)[1:-1])
    places = [holds(type_coerce(column, Text), escaped) for column in JSON]
    if _NUL not in needle:
        places += [holds(column, needle) for column in PLAIN]
    codes = [code for code in PROBLEMS if any(needle in fold(name) for name in names_of(code))]
    if codes:
        places.append(Event.code.in_(codes))
    return or_(*places, body_holds(needle))


def names_of(code: str) -> tuple[str, ...]:
    """How the console calls a problem, and what a sender was told."""
    said = public_code(code)
    return PROBLEMS[code].title, said, PROBLEMS[said].title


def contains_code(code: str) -> Condition:
    """Events with an error or a warning of this code."""
    entry = f'"code":"{code}"'
    return or_(
        *(holds(type_coerce(column, Text), entry) for column in (Event.errors, Event.warnings))
    )


def fold(text: str) -> str:
    """The text in lower case as far as it is ASCII, as both databases do it."""
    return text.encode("utf-8", "replace").lower().decode()


def holds(column: InstrumentedAttribute[Any] | ColumnElement[Any], needle: str) -> Condition:
    """Whether the column, without case, holds a text that `fold` has made."""
    if is_sqlite():  # Half the work of `instr` in a copy in lower case, and alike in ASCII alone.
        literally = _PATTERN_SIGNS.sub(r"\\\g<0>", needle)
        return column.like(f"%{literally}%", escape="\\")
    return func.strpos(func.lower(column.collate("C")), needle) > 0


def body_holds(needle: str) -> Condition:
    """Whether the body, without case, holds a text that `fold` has made."""
    return (_sqlite_body_holds if is_sqlite() else _postgres_body_holds)(needle.encode())


def _sqlite_body_holds(needle: bytes) -> Condition:
    """As bytes: `lower` makes a text of them that need not be UTF-8, and changes ASCII alone."""
    start = func.substr(Event.body, 1, BODY_BYTES)
    folded = cast(func.lower(start, type_=Text), LargeBinary)
    return func.instr(folded, literal(needle, LargeBinary)) > 0


def _postgres_body_holds(needle: bytes) -> Condition:
    """Each byte as the character of its number. No text may hold NUL: the byte FF, which UTF-8
    never uses, stands in for it, where there is one.
    """
    start = func.substring(Event.body, 1, BODY_BYTES, type_=LargeBinary)
    has_nul = func.position(literal(_NUL.encode(), LargeBinary).op("IN")(start)) > 0
    text = func.convert_from(case((has_nul, _without_nul(start)), else_=start), "LATIN1")
    sought = needle.decode("latin-1").replace(_NUL, _STAND_IN)
    return func.strpos(func.lower(type_coerce(text, Text).collate("C")), sought) > 0


def _without_nul(start: ColumnElement[bytes]) -> ColumnElement[bytes]:
    """In the escaped form every backslash begins a sign once `\\\\` is written as its number too,
    so that the replacement can't hit the middle of one."""
    escaped = func.replace(func.encode(start, "escape"), "\\\\", "\\134")
    return func.decode(func.replace(escaped, "\\000", "\\377"), "escape", type_=LargeBinary)

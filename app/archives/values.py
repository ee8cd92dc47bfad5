"""A column's values as JSON, and back: nothing is taken in that the column could not hold."""

import base64
import binascii
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    String,
)
from sqlalchemy.types import TypeEngine

from app.models.columns import JsonText, plain_type

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BITS = {Integer: 31, BigInteger: 63}


class WrongValueError(ValueError):
    """What the column can't hold."""


class Kind(NamedTuple):
    """How a kind of column is written and read; both are never given None."""

    type: type[TypeEngine[Any]]
    write: Callable[[Any], Any]
    read: Callable[[Column[Any], Any], Any]


def _read_switch(column: Column[Any], value: Any) -> bool:
    return bool(_of(bool, value))


def _read_number(column: Column[Any], value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongValueError("is no whole number")
    bits = next(bits for type_, bits in BITS.items() if type(plain_type(column)) is type_)
    if not -(2**bits) <= value < 2**bits:
        raise WrongValueError("is too large a number")
    return value


def _read_fraction(column: Column[Any], value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongValueError("is no number")
    return float(value)


def _read_moment(column: Column[Any], value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(_of(str, value))
    except ValueError as error:
        raise WrongValueError("is no moment") from error
    if moment.tzinfo is None:
        raise WrongValueError("is a moment without its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise WrongValueError("is no moment") from error


def _read_day(column: Column[Any], value: Any) -> date:
    try:
        return date.fromisoformat(_of(str, value))
    except ValueError as error:
        raise WrongValueError("is no day") from error


def _read_text(column: Column[Any], value: Any) -> str:
    """PostgreSQL takes neither NUL nor lone surrogates, which SQLite may have held."""
    text: str = _of(str, value).replace("\0", REPLACEMENT)
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    most = getattr(plain_type(column), "length", None)
    if most is not None and len(text) > most:
        raise WrongValueError(f"has more than {most} characters")
    return text


def _read_bytes(column: Column[Any], value: Any) -> bytes:
    try:
        return base64.b64decode(_of(str, value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongValueError("is no base64") from error


def _of(type_: type[Any], value: Any) -> Any:
    if not isinstance(value, type_):
        raise WrongValueError("is of another type")
    return value


def _write_moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


KINDS = (
    Kind(Boolean, bool, _read_switch),
    Kind(Integer, int, _read_number),
    Kind(Float, float, _read_fraction),
    Kind(DateTime, _write_moment, _read_moment),
    Kind(Date, date.isoformat, _read_day),
    Kind(String, str, _read_text),
    Kind(LargeBinary, lambda value: base64.b64encode(value).decode(), _read_bytes),
)
_JSON = Kind(JsonText, lambda value: value, lambda column, value: value)


def kind_of(column: Column[Any]) -> Kind:
    """Raises LookupError for a type that no archive knows of yet."""
    if isinstance(column.type, JsonText):
        return _JSON
    plain = plain_type(column)
    for kind in KINDS:
        if isinstance(plain, kind.type):
            return kind
    raise LookupError(f"{column.table.name}.{column.name}: no kind in KINDS for {plain!r}")


def is_added_up(column: Column[Any]) -> bool:
    """Whether its sum tells something: numbers that no other server changes."""
    is_number = isinstance(plain_type(column), Integer | Float)
    is_key = column.primary_key or column.name.endswith("_id")
    return is_number and not is_key and not isinstance(column.type, JsonText)

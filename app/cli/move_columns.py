"""What a kind of column means to a move: how a value goes over, and how both sides add it up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

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
    Table,
)
from sqlalchemy.types import TypeEngine

from app.models.columns import plain_type

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
TEXT_REPLACED, TEXT_CUT, NUMBER_LIMITED = "characters replaced", "texts cut", "numbers limited"
"""What is mended where PostgreSQL would refuse a value that SQLite has taken."""
_BYTES = "length(CAST({c} AS BLOB))"
# Without the fraction, by which SQLite might round up to the next second.
_SECONDS = "sum(CAST(strftime('%s', substr({c}, 1, 19)) AS INTEGER))"
_MICROSECONDS = "sum(CAST(substr(substr({c}, 21) || '000000', 1, 6) AS INTEGER))"


@dataclass(slots=True)
class Mended:
    """How many values of a table were changed on their way, by `column: what`, and by how much the
    columns' sums have grown through that."""

    counts: Counter[str] = field(default_factory=Counter)
    growth: Counter[str] = field(default_factory=Counter)

    def note(self, column: Column[Any], what: str, growth: int) -> None:
        self.counts[f"{column.name}: {what}"] += 1
        self.growth[column.name] += growth


Taker = Callable[[Any], Any]
"""Makes of what SQLite holds (texts as bytes) what PostgreSQL takes; never of None."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`sums` are added up on SQLite, each times its weight, and `target_sum` on PostgreSQL; `{c}`
    stands for the column. `unreadable` is true of what FlowPulse itself couldn't read. `is_mended`:
    the taker changes what PostgreSQL would refuse."""

    type: type[TypeEngine[Any]]
    copied_as: str
    unreadable: str
    sums: tuple[tuple[str, int], ...]
    target_sum: str
    make_taker: Callable[[Column[Any], Mended], Taker | None] = lambda column, mended: None
    is_mended: bool = False


def _take_text(column: Column[Any], mended: Mended) -> Taker:
    """A text goes over as its bytes in UTF-8, which is what both databases keep."""
    limit = getattr(plain_type(column), "length", None)

    def take(value: bytes) -> bytes:
        is_short = limit is None or len(value) <= limit
        if is_short and value.isascii() and b"\0" not in value:
            return value
        text = mend_text(value)
        encoded = text.encode()
        if encoded != value:
            mended.note(column, TEXT_REPLACED, len(encoded) - len(value))
        if limit is None or len(text) <= limit:
            return encoded
        cut = text[:limit].encode()
        mended.note(column, TEXT_CUT, len(cut) - len(encoded))
        return cut

    return take


def mend_text(value: bytes) -> str:
    """U+FFFD in place of NUL, of lone surrogates, and of what is no UTF-8."""
    try:
        text = value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = value.decode("utf-8", "replace")
    text = text.replace("\0", REPLACEMENT)
    return "".join(REPLACEMENT if "\ud800" <= sign <= "\udfff" else sign for sign in text)


def _take_whole_number(column: Column[Any], mended: Mended) -> Taker:
    """SQLite's whole numbers have eight bytes, PostgreSQL's integer has four."""
    lowest, highest = -(2**31), 2**31 - 1

    def take(value: int) -> int:
        if lowest <= value <= highest:
            return value
        kept = min(max(value, lowest), highest)
        mended.note(column, NUMBER_LIMITED, kept - value)
        return kept

    return take


def _take_moment(column: Column[Any], mended: Mended) -> Taker:
    return lambda value: datetime.fromisoformat(value.decode()).replace(tzinfo=UTC)


def _take_date(column: Column[Any], mended: Mended) -> Taker:
    return lambda value: date.fromisoformat(value.decode())


def _take_switch(column: Column[Any], mended: Mended) -> Taker:
    return bool


_IS_NO_INTEGER = "typeof({c}) <> 'integer'"
_INTEGER_SUMS = (("sum({c} >> 32)", 2**32), ("sum({c} & 4294967295)", 1))
"""In two halves: SQLite ends a sum with an error where it outgrows eight bytes."""
# To add no days has SQLite work the day out, by which 30 February becomes one of March.
_IS_NO_DAY = "typeof({c}) <> 'text' OR {c} < '0001' OR date({c}, '+0 days') IS NOT {c}"
_IS_NO_MOMENT = (
    "typeof({c}) <> 'text' OR {c} < '0001' "
    "OR datetime(substr({c}, 1, 19), '+0 days') IS NOT substr({c}, 1, 19) "
    "OR (length({c}) <> 19 AND substr({c}, 20) NOT GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')"
)

# In this order, since a BigInteger is an Integer too.
KINDS = (
    Kind(Boolean, "bool", _IS_NO_INTEGER, (("sum({c} <> 0)", 1),), "sum({c}::int)", _take_switch),
    Kind(BigInteger, "int8", _IS_NO_INTEGER, _INTEGER_SUMS, "sum({c})"),
    Kind(Integer, "int4", _IS_NO_INTEGER, _INTEGER_SUMS, "sum({c})", _take_whole_number, True),
    Kind(Float, "float8", "typeof({c}) <> 'real'", (("total({c})", 1),), "sum({c})"),
    Kind(
        DateTime,
        "timestamptz",
        _IS_NO_MOMENT,
        ((_SECONDS, 10**6), (_MICROSECONDS, 1)),
        "sum(round(extract(epoch FROM {c}) * 1000000))",
        _take_moment,
    ),
    Kind(
        Date,
        "date",
        _IS_NO_DAY,
        ((_SECONDS, 1),),
        "sum(extract(epoch FROM {c}))",
        _take_date,
    ),
    # In COPY's binary form a text is its bytes, and bytes need no looking through by the driver.
    Kind(
        String,
        "bytea",
        "typeof({c}) NOT IN ('text', 'blob')",
        ((f"sum({_BYTES})", 1),),
        "sum(octet_length({c}))",
        _take_text,
        True,
    ),
    Kind(
        LargeBinary,
        "bytea",
        "typeof({c}) NOT IN ('text', 'blob')",
        ((f"sum({_BYTES})", 1),),
        "sum(octet_length({c}))",
    ),
)


def kind_of(column: Column[Any]) -> Kind:
    """Raises LookupError for a type that no move knows of yet."""
    plain = plain_type(column)
    for kind in KINDS:
        if isinstance(plain, kind.type):
            return kind
    raise LookupError(f"{column.table.name}.{column.name}: no kind in KINDS for {plain!r}")


def make_takers(table: Table, mended: Mended) -> list[Taker | None]:
    """By column, in the table's order; None where a value goes over as it is."""
    return [kind_of(column).make_taker(column, mended) for column in table.columns]

"""Arrays as PostgreSQL reads them: the text of one is written several times as fast as by psycopg.

See "Array Input and Output Syntax" in PostgreSQL's documentation: between double quotes all stands
for itself but a double quote and a backslash.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from types import NoneType
from typing import Any

from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeDecorator, TypeEngine


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_WRITERS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda nothing: "NULL",
    str: _quote,
    int: str,
    float: repr,
    bool: lambda value: "t" if value else "f",
    datetime: datetime.isoformat,
    date: date.isoformat,
    bytes: lambda value: f'"\\\\x{value.hex()}"',
}


def write_array(values: Sequence[Any]) -> str:
    """The text of an array of one dimension. Raises KeyError for a value of another type."""
    return "{" + ",".join([_WRITERS[type(value)](value) for value in values]) + "}"


class ArrayText(TypeDecorator[Sequence[Any]]):
    """The type of a parameter that is an array; each value is first what its own type makes of it.

    Its text is cast to the array in the statement.
    """

    impl = ARRAY
    cache_ok = True

    def __init__(self, item_type: TypeEngine[Any]) -> None:
        super().__init__(item_type, dimensions=1)
        self.item_type = item_type

    def bind_processor(self, dialect: Dialect) -> Any:
        prepare = self.item_type.dialect_impl(dialect).bind_processor(dialect)
        if prepare is None or isinstance(self.item_type, LargeBinary):
            return write_array
        return lambda values: write_array([prepare(value) for value in values])

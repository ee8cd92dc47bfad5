"""Column types that mean the same on SQLite and PostgreSQL."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, String, Text
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.identifiers import new_id


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite, which has no zones, keeps it as plain text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Any:
        return _write_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Thousands of them are read for a page: as text they are read in one go."""
        if dialect.name == "sqlite":
            return _read_text
        return super().result_processor(dialect, coltype)


def sqlite_text(moment: datetime) -> str:
    """A moment as SQLite keeps it, whichever road writes or looks for it."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds").removesuffix("+00:00")


def _write_text(value: datetime | None) -> str | None:
    return None if value is None else sqlite_text(value)


def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


class JsonText(TypeDecorator[Any]):
    """JSON in a text column: written and read as it came, also by plain SQL on the hot path."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


BigId = BigInteger().with_variant(Integer, "sqlite")

PrimaryKey = Annotated[int, mapped_column(BigId, primary_key=True)]
PublicId = Annotated[str, mapped_column(String(24), unique=True, default=new_id)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]


def plain_type(column: Column[Any]) -> TypeEngine[Any]:
    """What the database knows of: a type of ours is one of its own, dressed up."""
    type_: TypeEngine[Any] = column.type
    return type_.impl_instance if isinstance(type_, TypeDecorator) else type_

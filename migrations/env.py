"""Alembic's environment: migrates the database whole or not at all, one starter at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.types import TypeDecorator

from app.extensions import db
from app.models.partitioning import is_compared_on
from app.write_lock import WriteLock

_MIGRATION_LOCK = 0x464C4F58


def run_migrations(engine: Engine) -> None:
    with _alone(engine) as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            render_as_batch=True,
            compare_type=True,
            render_item=_render_plainly,
            include_object=is_compared_on(engine.dialect),
            transactional_ddl=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def _render_plainly(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Migrations must not change with the app's code: its types are written as what they store."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A connection while no other process migrates, nor, on SQLite, writes."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with WriteLock(Path(str(engine.url.database))).hold(), engine.connect() as connection:
            yield connection
    else:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET datestyle = 'ISO, MDY'")  # The driver reads no other.
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            yield connection


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """Foreign keys are off: with them on, rebuilding a parent table deletes its children's rows.

    The journal mode belongs to the file; it is set here, once, and never by a server.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


with current_app.app_context():
    _engine = create_engine(db.engine.url, hide_parameters=True)
    run_migrations(_engine)
    _engine.dispose()

"""Where a backup is put: a database whose present content is moved aside, never removed."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

from app.backups import postgres, postgres_tools, sqlite
from app.backups.contents import POSTGRESQL, SQLITE, BackupError, Contents, table_of
from app.backups.drafts import drafted
from app.cli.move_source import WAIT_MS, HeldError, Source
from app.clock import now
from app.extensions import Model, db
from app.url_secrets import mask_database_url
from app.write_lock import WriteLock

STOP = "Stop FlowPulse (web and worker) on all machines, and run this again."
_MIGRATION_LOCK = 0x464C4F58
"""As in migrations/env.py: a server that starts meanwhile waits."""


class Place(Protocol):
    """The database of the present settings."""

    name: str

    def holds_something(self) -> bool:
        """Whether a server was set up on it, or somebody else's tables are in it."""

    def ensure_unused(self) -> None:
        """Raises BackupError where another program has the database open."""

    def take(self, backup: Path, is_kept: bool) -> str | None:
        """Put a backup there; returns the name under which is kept what was there, where it is to
        be. Raises BackupError where somebody uses the database."""

    def count(self) -> Contents: ...


class SqlitePlace:
    """A file: a copy of the backup takes its name while nobody has it open."""

    def __init__(self) -> None:
        self._path = Path(str(db.engine.url.database))
        self.name = str(self._path)

    def holds_something(self) -> bool:
        if not (self._path.is_file() and self._path.stat().st_size):
            return False
        try:
            return _is_used(sqlite.examine(self._path))
        except BackupError:  # Who knows what it is? It is kept.
            return True

    def ensure_unused(self) -> None:
        with self._held():
            pass

    def take(self, backup: Path, is_kept: bool) -> str | None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = self._path.with_name(f"{self._path.name}.{_name_kept()}") if is_kept else None
        with self._held(), drafted(self._path, is_replaced=True) as draft:
            shutil.copyfile(backup, draft)
            if kept:
                os.link(self._path, kept)
        return str(kept) if kept else None

    def count(self) -> Contents:
        return sqlite.examine(self._path)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Nobody else has it open: a server would go on with the file that has lost its name."""
        with WriteLock(self._path).hold(), ExitStack() as held:
            if self._path.exists():
                try:
                    held.enter_context(Source(self._path))
                except HeldError as error:
                    raise BackupError(f"{self.name} is open in another program. {STOP}") from error
                except sqlite3.DatabaseError:
                    pass  # It is none, so that nobody can have it open.
            yield


class PostgresPlace:
    """A schema: our tables and the functions of their triggers go to another one, and pg_restore
    makes them anew."""

    def __init__(self) -> None:
        self.name = mask_database_url(
            db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        )

    def holds_something(self) -> bool:
        return _is_used(self.count())

    def count(self) -> Contents:
        with postgres_tools.connect() as connection:
            return postgres.count(connection)

    def ensure_unused(self) -> None:
        with postgres_tools.connect() as connection:
            self._ensure_alone(connection)

    def take(self, backup: Path, is_kept: bool) -> str | None:
        with postgres_tools.connect() as connection:
            program = postgres_tools.find("pg_restore", connection.info.server_version)
            self._ensure_alone(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
            here = str((connection.execute("SELECT current_schema()").fetchone() or [""])[0])
            aside = f"flowpulse_{_name_kept()}"
            _change_schema(connection, here, aside)
            try:
                _run_restore(program, here, backup)
            except BaseException:
                _change_schema(connection, aside, here)
                raise
            if not is_kept:
                drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(aside))
                connection.execute(drop)
        return f"the schema {aside}" if is_kept else None

    def _ensure_alone(self, connection: psycopg.Connection[Any]) -> None:
        """A server that is just stopping gets a moment."""
        end = time.monotonic() + WAIT_MS / 1_000
        while others := (connection.execute(_OTHERS).fetchone() or [0])[0]:
            if time.monotonic() > end:
                raise BackupError(f"{others} other connections use {self.name}. {STOP}")
            time.sleep(0.1)


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
_TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s)"
    " AND relkind IN ('r', 'p')"
)


_FUNCTIONS = (
    "SELECT DISTINCT proname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
    " WHERE tgrelid = ANY(SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(%(old)s)"
    " AND relname = ANY(%(tables)s)) AND pronamespace = to_regnamespace(%(old)s)"
)
"""Those that the tables' triggers call: they are in the backup as well. None has parameters."""


def _change_schema(connection: psycopg.Connection[Any], old: str, new: str) -> None:
    """Take our tables, with their indexes, sequences and triggers, from one schema to another."""
    ours = {*Model.metadata.tables, "alembic_version"}
    schema = sql.Identifier(old).as_string(connection)
    with connection.transaction():
        found = connection.execute(_TABLES, (schema,)).fetchall()
        tables = [str(name) for (name,) in found if table_of(str(name)) in ours]
        if not tables:
            return
        functions = connection.execute(_FUNCTIONS, {"old": schema, "tables": tables}).fetchall()
        target = sql.Identifier(new)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(target))
        for kind, names in (
            ("TABLE {}", tables),
            ("FUNCTION {}()", [str(name) for (name,) in functions]),
        ):
            move = sql.SQL(f"ALTER {kind} SET SCHEMA {{}}")
            for name in names:
                connection.execute(move.format(sql.Identifier(old, name), target))


def _run_restore(program: str, schema: str, backup: Path) -> None:
    """All of it or nothing."""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    target = f"--dbname={postgres_tools.target(db.engine.url)}"
    with postgres_tools.running(program, *options, f"--schema={schema}", target, str(backup)):
        pass


def _is_used(contents: Contents) -> bool:
    """A server that was only prepared holds nothing that anybody would miss."""
    is_ours = contents.revision is not None and "instance" in contents.rows
    if not is_ours:
        return any(contents.rows.values())
    return bool(contents.rows["instance"] or contents.rows.get("users"))


def _name_kept() -> str:
    """Two restores within one second keep both."""
    return f"before_{now():%Y%m%d_%H%M%S_%f}"


PLACES: dict[str, Callable[[], Place]] = {SQLITE: SqlitePlace, POSTGRESQL: PostgresPlace}

"""The steps of a move: look at the source, make the target ready, copy, compare."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import click
import psycopg
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import URL, Table

from app.cli.migrations import MIGRATIONS, init_migrations
from app.cli.move_check import Verdict, compare
from app.cli.move_opening import START_FRESH
from app.cli.move_source import Figures, Source
from app.cli.move_target import Target
from app.cli.text import escape, show
from app.clock import now
from app.database_errors import strip_values
from app.doctor.moves import State
from app.extensions import Model, db
from app.invocation import shell_command

TELL_EVERY_SECONDS = 5.0
MOST_ROWS_TOLD = 5
OLDEST_MONTH = timedelta(days=5 * 365)
"""Events from before go into the table for the rest, as do those that lie ahead."""
TABLES: list[Table] = Model.metadata.sorted_tables
"""All there are, those that others point to first."""


@dataclass(slots=True)
class Clock:
    """How long each part of a move took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str, words: str) -> Iterator[None]:
        tell(f"{words} …")
        started = time.monotonic()
        yield
        self.seconds[part] = round(time.monotonic() - started, 1)


def tell(line: str) -> None:
    """How far it is, for who waits."""
    click.echo(escape(line), err=True)


def open_app(url: URL) -> Flask:
    """An app with nothing but the target's database, for the migrations."""
    app = Flask("move")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    init_migrations(app)
    return app


def ensure_ours(source: Source, target: Target) -> None:
    """Raises ClickException where the source is not ready, or the target is not for this move:
    all that takes no look through the tables."""
    _ensure_current(source)
    state = target.read_state()
    if state and state.whose != source.whose():
        raise click.ClickException(
            f"The target belongs to a move from another server ({escape(state.path)}), begun "
            f"{show(state.begun_at)}. It was left as it is. {START_FRESH}"
        )
    if state and state.finished_at and state.fingerprint != source.fingerprint():
        raise click.ClickException(
            f"The target is the copy of {escape(state.path)} from {show(state.finished_at)}, "
            f"which has changed since. It was left as it is. {START_FRESH}"
        )


def _ensure_current(source: Source) -> None:
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if source.revision() != wanted:
        raise click.ClickException(
            f"The SQLite database is at {source.revision() or 'nothing'}, the program at {wanted}. "
            f"Run first: {shell_command('prepare')}"
        )
    if not source.is_wal():
        raise click.ClickException(
            "The SQLite database has another journal than FlowPulse gives it, with which a server "
            f"that runs can't be seen. Run first: {shell_command('prepare')}"
        )


def look_through(source: Source) -> dict[str, Figures]:
    """Counts and sums of all tables; raises ClickException for what could not be taken over."""
    troubles = [*_tell_orphans(source), *_tell_unreadable(source)]
    if troubles:
        lines = "\n".join(f"  {escape(each)}" for each in troubles)
        raise click.ClickException(
            f"PostgreSQL would not take this, and nothing was moved. Mend it first:\n{lines}"
        )
    return {table.name: source.add_up(table) for table in TABLES}


def _tell_orphans(source: Source) -> Iterator[str]:
    for (table, parent), rows in source.find_orphans().items():
        some = ", ".join(map(str, rows[:MOST_ROWS_TOLD]))
        yield f"{table}: {len(rows):,} rows point to {parent} that are not there (row {some})"


def _tell_unreadable(source: Source) -> Iterator[str]:
    for table in TABLES:
        for column, some in source.find_unreadable(table).items():
            yield f"{table.name}.{column}: FlowPulse itself can't read {'; '.join(some)}"


def make_ready(source: Source, target: Target) -> State | None:
    """Make the tables, or find how far an earlier call has come. The state of a move that is
    complete already."""
    fingerprint, state = source.fingerprint(), target.read_state()
    if state and state.finished_at:
        return state
    if state and state.fingerprint == fingerprint:
        tell(f"Going on with what began {show(state.begun_at)}")
        return None
    if state:
        tell(f"The SQLite database has changed since {show(state.begun_at)}: all is copied anew")
        target.start_over()
    upgrade()
    target.begin(source.whose(), str(source.path.absolute()), fingerprint)
    return None


def copy_all(source: Source, target: Target, figures: dict[str, Figures]) -> None:
    """Raises ClickException where PostgreSQL refuses a row; what has gone over before stays."""
    target.make_months(_months_of(source))
    for table in TABLES:
        try:
            _copy(source, target, table, figures[table.name].rows)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            strip_values(error)
            raise click.ClickException(
                f"PostgreSQL refuses a row of {table.name}: {escape(str(error))}. Mend it in "
                "the SQLite database, and run this again."
            ) from error


def _months_of(source: Source) -> list[datetime]:
    """Those that get a table of their own. Clocks that were wrong must not have one made for each
    of their years: every table costs each query."""
    return [each for each in source.find_months() if now() - OLDEST_MONTH <= each <= now()]


def _copy(source: Source, target: Target, table: Table, total: int) -> None:
    progress = target.read_progress(table)
    if progress.is_complete:
        return
    count, told = 0, time.monotonic()
    for more in target.copy(table, source.read(table, progress.after), progress):
        count += more
        if time.monotonic() - told > TELL_EVERY_SECONDS:
            tell(f"  {table.name}: {count:,} rows more, of {total:,}")
            told = time.monotonic()


def compare_all(source: Source, target: Target, figures: dict[str, Figures]) -> list[Verdict]:
    return [
        compare(source, target, table, figures[table.name], target.read_progress(table).mended)
        for table in TABLES
    ]

"""`move`: takes everything from SQLite over to PostgreSQL, and proves that it is there."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError

from app.cli.commands import command
from app.cli.move_check import Verdict
from app.cli.move_opening import explain_refusal, open_target
from app.cli.move_source import HeldError, Source
from app.cli.move_steps import (
    Clock,
    compare_all,
    copy_all,
    ensure_ours,
    look_through,
    make_ready,
    open_app,
)
from app.cli.move_target import AnotherMoveError, Target
from app.cli.moved import note_move
from app.cli.options import json_option
from app.cli.text import Row, dump, escape, print_rows, show
from app.config import ConfigurationError, resolve_database_url
from app.extensions import db, is_sqlite
from app.invocation import START, shell_command
from app.url_secrets import STARS, mask_database_url
from app.write_lock import note_of_move

SETTING = "FLOWPULSE_DATABASE_URL"
COLUMNS = ("table", "rows", "compared", "mended", "result")

STOPPED = "Stopped. Nothing is lost: the same command goes on where it was."


class PostgresUrl(click.ParamType[URL]):
    """The URL of a PostgreSQL database, by any of its usual schemes."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> URL:
        if not str(value).startswith(("postgres://", "postgresql://", "postgresql+psycopg://")):
            self.fail("must start with postgresql://", param, ctx)
        try:
            return make_url(resolve_database_url({SETTING: str(value), "FLOWPULSE_DATA_DIR": ""}))
        except (ConfigurationError, ValueError) as error:
            self.fail(str(error), param, ctx)


@command("move")
@click.option(
    "--to",
    "url",
    type=PostgresUrl(),
    required=True,
    metavar="URL",
    help="The empty database: postgresql://user@host/name. PGPASSWORD may hold the password.",
)
@json_option
@click.pass_context
def move(ctx: click.Context, url: URL, as_json: bool) -> None:
    """Take everything from SQLite over to an empty PostgreSQL database.

    Stop the server first: while this runs, nobody else can open the SQLite database, and it is
    only read. Then counts, sums and 1,000 random rows of each table are compared. Prints a line
    for each table, and what to do next. Whatever ends it, the same command goes on where it was.
    The exit code is 1 if anything differs. See docs/moving-to-postgresql.md.
    """
    clock, path = Clock(), _find_file()
    verdicts = None
    try:
        with _explained(path), closing(open_target(url)) as target, Source(path) as source:
            verdicts = _take_over(source, target, url, clock)
            if _is_good(verdicts):  # Noted before anybody else can write again.
                note_move(path, _show(url))
        _print(verdicts, as_json, clock)
    except KeyboardInterrupt:
        if verdicts is None or not _is_good(verdicts):
            click.echo(STOPPED, err=True)
        else:
            note_move(path, _show(url))  # It may have been this that was stopped.
            click.echo(f"Stopped. The move is complete.\n{_next_steps(path, url)}", err=True)
        ctx.exit(1)
    if not _is_good(verdicts):
        ctx.exit(1)
    if not as_json:
        click.echo(_next_steps(path, url))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Says which of the two databases it is that can't be used, and what to do."""
    try:
        yield
    except HeldError as error:
        raise click.ClickException(
            f"The target can be used, but {path} is open in another program. Stop FlowPulse (web "
            "and worker), end whatever else has it open, and run this again."
        ) from error
    except AnotherMoveError as error:
        raise click.ClickException(
            "Another move to the target is under way. Let it end or, if you have just ended "
            "it, run this again in a minute."
        ) from error
    except (DBAPIError, psycopg.Error) as error:
        raise explain_refusal(error) from error
    except sqlite3.Error as error:
        raise click.ClickException(f"{path} can't be read: {escape(str(error))}") from error


def _find_file() -> Path:
    if not is_sqlite():
        raise click.ClickException(
            f"{SETTING} is not SQLite. Run this with the settings that the server had until now."
        )
    path = Path(str(db.engine.url.database))
    db.engine.dispose()
    if not path.is_file():
        raise click.ClickException(f"{path} is not there. Run: {shell_command('prepare')}")
    return path


def _take_over(source: Source, target: Target, url: URL, clock: Clock) -> list[Verdict]:
    """Nothing to compare where all was taken over before."""
    ensure_ours(source, target)
    with clock.measure("look", "Looking through the SQLite database"):
        figures = look_through(source)
    with open_app(url).app_context():
        with clock.measure("tables", "Making the tables"):
            done = make_ready(source, target)
        if done:
            click.echo(f"Everything was taken over {show(done.finished_at)}.", err=True)
            return []
        with clock.measure("copy", "Copying"):
            copy_all(source, target, figures)
        with clock.measure("analyze", "Having PostgreSQL look at the tables"):
            target.analyze()
        with clock.measure("compare", "Comparing"):
            verdicts = compare_all(source, target, figures)
        if _is_good(verdicts):
            rows = sum(each.rows for each in figures.values())
            target.finish(source.highest_ids(), source.path.name, rows)
        return verdicts


def _is_good(verdicts: Sequence[Verdict]) -> bool:
    return not any(each.differences for each in verdicts)


def _print(verdicts: Sequence[Verdict], as_json: bool, clock: Clock) -> None:
    if as_json:
        click.echo(
            dump({"tables": [_describe(each) for each in verdicts], "seconds": clock.seconds})
        )
        return
    if verdicts:
        print_rows([_summarise(each) for each in verdicts], False, COLUMNS)
        click.echo(f"\n{sum(clock.seconds.values()):.0f} s in all", err=True)
    for verdict in verdicts:
        for difference in verdict.differences:
            click.echo(escape(f"{verdict.table}: {difference}"), err=True)
        if verdict.keys:
            click.echo(escape(f"{verdict.table}: see {_list_keys(verdict)}"), err=True)
    if not _is_good(verdicts):
        click.echo("Error: The copy differs. The server must not start on it.", err=True)


def _summarise(verdict: Verdict) -> Row:
    mended = ", ".join(f"{count:,} {what}" for what, count in verdict.mended.items())
    return {
        "table": verdict.table,
        "rows": f"{verdict.rows:,}",
        "compared": f"{verdict.compared:,}",
        "mended": mended,
        "result": "differs" if verdict.differences else "same",
    }


def _describe(verdict: Verdict) -> Row:
    return {
        "table": verdict.table,
        "rows": verdict.rows,
        "compared": verdict.compared,
        "mended": verdict.mended,
        "differences": verdict.differences,
        "keys": [[str(value) for value in key] for key in verdict.keys],
    }


def _list_keys(verdict: Verdict) -> str:
    return ", ".join("/".join(map(str, key)) for key in verdict.keys)


def _next_steps(path: Path, url: URL) -> str:
    shown = _show(url)
    return (
        "Everything is there, and the same. What is left to do:\n\n"
        f"  1. Set {SETTING}={shown} in .env, or wherever the server's settings are"
        f"{f', with the password in place of {STARS}' if STARS in shown else ''}.\n"
        f"  2. Start the server: {START}\n\n"
        "Its secret key stays the same: without it, API keys, sessions and channels don't open.\n"
        f"{path} is as it was. {note_of_move(path)} keeps a server from writing to it by mistake."
    )


def _show(url: URL) -> str:
    """As people write it, without what is secret in it."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return mask_database_url(plain)

"""Opens the database that a move is to fill, and tells what keeps it from being used."""

import re

import click
from sqlalchemy import URL

from app.cli.move_target import Target
from app.cli.text import escape

MOST_TABLES_TOLD = 5
START_FRESH = "Make an empty database, or name another one."
_ENCODING = "createdb --encoding UTF8 --template template0 NAME"
_GRANT = "`createdb --owner ROLE NAME`, or GRANT CREATE"
_ADVICE = (
    ('role ".*" does not exist', "create it, or name another in --to"),
    (
        'database ".*" does not exist',
        "create it: createdb --owner ROLE --encoding UTF8 --template template0 NAME, "
        "or name another in --to",
    ),
    (
        "password",
        "set PGPASSWORD, or write ~/.pgpass; in a URL special characters are written as %40 "
        "and the like",
    ),
    ("resolve host|invalid port|translate host", "mend host and port in --to"),
    ("permission denied for database.*CONNECT", "GRANT CONNECT, or name another role in --to"),
    ("permission denied|must be owner", _GRANT),
    ("pg_hba.conf|authentication failed", "let the role in by pg_hba.conf there, or name another"),
    ("too many|remaining connection slots", "end other connections to it, and run this again"),
    (
        "refused|timed out|timeout expired|unreachable|No route|No such file",
        "start PostgreSQL there, or mend host and port in --to",
    ),
)
"""What to do, by what the driver says; the first that is found in it."""
_OTHERWISE = "mend that, and run this again: it goes on where it was"


def open_target(url: URL) -> Target:
    """Raises ClickException where nothing can be moved there, whatever comes from where; what a
    begun move has left there is looked at later, beside the source. AnotherMoveError as it is."""
    try:
        target = Target(url)
    except UnicodeError as error:  # Of a part between two dots that is too long for any host.
        raise _refuse("its host can't be resolved: mend it in --to") from error
    try:
        if target.read_state() is None:
            _ensure_usable(target)
    except BaseException:
        target.close()
        raise
    return target


def explain_refusal(error: Exception) -> click.ClickException:
    """What the driver or PostgreSQL says of the target, and what to do about it."""
    cause = getattr(error, "orig", None) or error
    whole = str(cause).strip() or type(cause).__name__
    said = whole.splitlines()[0].rpartition("FATAL:  ")[2].removeprefix("connection failed: ")
    found = (advice for mark, advice in _ADVICE if re.search(mark, whole, re.DOTALL))
    return _refuse(f"{escape(said)}: {next(found, _OTHERWISE)}")


def _ensure_usable(target: Target) -> None:
    if target.is_read_only:
        raise _refuse("it can only be read: name the primary, or a role that may write, in --to")
    if target.encoding != "UTF8":
        raise _refuse(f"its encoding is {target.encoding}: make one with UTF-8: {_ENCODING}")
    if target.schema is None:
        raise _refuse("it has no schema to create tables in: CREATE SCHEMA public")
    for what in target.find_forbidden():
        raise _refuse(f"permission denied for {escape(what)}: {_GRANT}")
    strangers = target.find_strangers()
    if strangers:
        some = ", ".join(map(escape, strangers[:MOST_TABLES_TOLD]))
        raise _refuse(f"it is not empty, it has {some}. It was left as it is. {START_FRESH}")


def _refuse(reason: str) -> click.ClickException:
    return click.ClickException(f"The target can't be used: {reason}")

"""What all commands share: an app context, one clear line for what goes wrong, exit codes."""

import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import click
import psycopg
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import DBAPIError

from app.archives.layout import ArchiveError
from app.backups.contents import BackupError
from app.cli.text import escape
from app.config import ConfigurationError
from app.doctor.outage import explain_outage
from app.invocation import as_installed, why_elsewhere
from app.processing.secret_mark import ForeignSecretError
from app.workspaces.passwords import WeakPasswordError
from app.workspaces.people import AlreadySetUpError, RefusedError

REFUSALS = (
    RefusedError,
    WeakPasswordError,
    ConfigurationError,
    ForeignSecretError,
    BackupError,
    ArchiveError,
)


class Command(click.Command):
    """Ends with 0 when done, 1 when refused or not found, 2 when called wrongly."""

    def get_help(self, ctx: click.Context) -> str:
        """Its examples as they work here, once all lines are broken."""
        return as_installed(super().get_help(ctx))

    def invoke(self, ctx: click.Context) -> Any:
        _write_any_character()
        elsewhere = why_elsewhere(_name(ctx))
        if elsewhere:
            raise click.ClickException(elsewhere)
        try:
            return super().invoke(ctx)
        except REFUSALS as error:
            raise click.ClickException(escape(str(error))) from error
        except AlreadySetUpError as error:
            raise click.ClickException("Somebody else has just set this server up.") from error
        except (DBAPIError, psycopg.Error, sqlite3.OperationalError) as error:
            raise click.ClickException(explain_outage(error)) from error
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}") from error


class Group(AppGroup):
    """A noun; its commands are of the class above and run in an app context."""

    command_class = Command


def command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command that stands by itself."""

    def make(function: Callable[..., Any]) -> Command:
        return click.command(name, cls=Command, **settings)(with_appcontext(function))

    return make


def _name(context: click.Context) -> str:
    """Of a command, with its noun: `user create`."""
    above = context.parent.command.name if context.parent and context.parent.parent else None
    return " ".join(filter(None, (above, context.command.name)))


def _write_any_character() -> None:
    """A terminal that lacks a character shows its escape instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")

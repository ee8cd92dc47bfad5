"""The command line: `.venv/bin/flask --app wsgi …`, one module for each noun."""

from importlib import import_module
from typing import NamedTuple, cast

import click
from flask import Flask
from flask.cli import AppGroup


class Place(NamedTuple):
    """Where a command is written, and whether it needs Alembic."""

    module: str
    name: str
    migrates: bool = False


COMMANDS = {
    "prepare": Place("app.cli.server", "prepare", migrates=True),
    "user": Place("app.cli.user", "user"),
    "workspace": Place("app.cli.workspace", "workspace"),
    "workflow": Place("app.cli.workflow", "workflow"),
    "key": Place("app.cli.key", "key"),
    "events": Place("app.cli.events", "events"),
    "audit": Place("app.cli.audit", "audit"),
    "worker": Place("app.cli.worker", "worker"),
    "doctor": Place("app.cli.doctor", "doctor", migrates=True),
    "demo": Place("app.cli.demo", "demo"),
    "backup": Place("app.cli.backup", "backup"),
    "restore": Place("app.cli.restore", "restore", migrates=True),
    "move": Place("app.cli.move", "move", migrates=True),
    "manual": Place("app.cli.manual", "manual"),
    "db": Place("flask_migrate.cli", "db", migrates=True),
}
"""In the order of the manual."""


class Commands(AppGroup):
    """The commands, each loaded when it is called: a server that runs needs none of them.

    Together with Alembic, and all the dialects that it knows, they take 15 MB in each process.
    """

    def __init__(self, app: Flask) -> None:
        super().__init__(name=app.cli.name)
        self._app = app

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if COMMANDS[cmd_name].migrates:
            import_module("app.cli.migrations").init_migrations(self._app)
        return load(cmd_name)


def load(name: str) -> click.Command:
    """The command of this name."""
    place = COMMANDS[name]
    return cast(click.Command, getattr(import_module(place.module), place.name))


def init_cli(app: Flask) -> None:
    """Register the commands."""
    app.cli = Commands(app)

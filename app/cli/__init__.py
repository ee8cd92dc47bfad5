"""The command line: `flask --app wsgi …`, one module for each noun."""

import click
from flask import Flask

from app.cli import demo, doctor, events, key, manual, move, server, user, workflow

COMMANDS: tuple[click.Command, ...] = (
    server.prepare,
    user.user,
    workflow.workflow,
    key.key,
    events.events,
    server.worker,
    doctor.doctor,
    demo.demo,
    move.move,
    manual.manual,
)
"""In the order of the manual."""


def init_cli(app: Flask) -> None:
    """Register the commands."""
    for command in COMMANDS:
        app.cli.add_command(command)

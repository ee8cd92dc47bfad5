"""`events`: the live log in the terminal."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload

from app.cli.commands import Group
from app.cli.options import json_option, workspace_option
from app.cli.text import Row, dump, show
from app.extensions import db
from app.models import STATES, Event, Workspace
from app.redaction import mask_text, mask_value

POLL_SECONDS = 0.5
PAGE = 500
"""Rows read at once while following."""


@click.group("events", cls=Group, help="The log of requests.")
def events() -> None: ...


@events.command("tail")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes in, until Ctrl-C.")
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=20,
    show_default=True,
    help="How many of the newest to begin with.",
)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@workspace_option
@json_option
def tail(follow: bool, limit: int, state: str | None, workspace: Workspace, as_json: bool) -> None:
    """Print the newest events, the newest last, one line each.

    A line holds time (UTC), state, HTTP status, kind or problem code, workflow and detail. With
    --json each line is a JSON object. Refused requests whose key belongs to no workspace are
    printed too.
    """
    wanted = _select(workspace.id, state)
    try:
        with _until_ctrl_c() as is_over:
            for event in _read(wanted, limit, follow, is_over):
                row = _describe(event)
                click.echo(dump(row) if as_json else _line(row))
                if is_over():
                    break
    except BrokenPipeError:
        # Nobody reads on, as after `| head`; what is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _until_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C was pressed; a second press interrupts at once.

    The exception that Python raises could come up anywhere: in the middle of a line, or where
    SQLAlchemy gives back a connection, which prints it with its traceback.
    """
    pressed: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _select(workspace_id: int, state: str | None) -> Select[Event]:
    wanted = (
        select(Event)
        .options(joinedload(Event.workflow), joinedload(Event.api_key), joinedload(Event.run))
        .where(or_(Event.workspace_id == workspace_id, Event.workspace_id.is_(None)))
    )
    return wanted.where(Event.state == state) if state else wanted


def _read(
    wanted: Select[Event], limit: int, follow: bool, is_over: Callable[[], bool]
) -> Iterator[Event]:
    """The newest, oldest of them first; then each that comes in, once."""
    cursor = db.session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1)) or 0
    newest = wanted.where(Event.id <= cursor).order_by(Event.id.desc()).limit(limit)
    yield from reversed(db.session.scalars(newest).all())
    db.session.rollback()
    while follow and not is_over():
        page = db.session.scalars(
            wanted.where(Event.id > cursor).order_by(Event.id).limit(PAGE)
        ).all()
        yield from page
        cursor = page[-1].id if page else cursor
        db.session.rollback()  # What was read is let go, and the next read sees what is new.
        if len(page) < PAGE:
            time.sleep(POLL_SECONDS)


def _describe(event: Event) -> Row:
    return {
        "id": event.public_id,
        "received_at": event.received_at,
        "state": event.state,
        "status": event.status,
        "kind": event.kind,
        "code": event.code,
        "workflow": event.workflow.slug if event.workflow else None,
        "run_id": event.run.public_id if event.run else None,
        "api_key": event.api_key.name if event.api_key else None,
        "remote_addr": event.remote_addr,
        "detail": mask_text(event.detail or event.failure or "") or None,
        "errors": mask_value(event.errors),
        "warnings": mask_value(event.warnings),
    }


def _line(row: Row) -> str:
    what = show(row["code"] or row["kind"])
    return (
        f"{show(row['received_at'])}  {show(row['state']):9}  {show(row['status'])}  {what:22}  "
        f"{show(row['workflow']):20}  {show(row['detail'])}"
    )

"""A workspace's own settings: its name, and how long things are kept."""

from typing import NamedTuple

from flask import current_app

from app.extensions import writing
from app.models import RETENTION, Workspace
from app.workspaces.audit import change, note
from app.workspaces.people import RefusedError, clean_workspace_name

SHORTEST_DAYS, LONGEST_DAYS = 1, 3650


class Period(NamedTuple):
    """How long one kind of thing is kept: the workspace's column, and what it stands for."""

    field: str
    label: str


PERIODS = (
    Period("rejected_days", "Refused requests"),
    Period("event_days", "Events and successful runs"),
    Period("failure_days", "Failed runs, and events that could not be processed"),
)


def default_days(field: str) -> int:
    """What the server keeps where the workspace says nothing."""
    return int(current_app.config[RETENTION[field]])


def kept_days(workspace: Workspace, field: str) -> int:
    own: int | None = getattr(workspace, field)
    return default_days(field) if own is None else own


def rename_workspace(workspace: Workspace, name: str) -> None:
    """Raises RefusedError."""
    name = clean_workspace_name(name)
    with writing() as session:
        was, workspace.name = workspace.name, name
        if was != name:
            note(session, "workspace_renamed", workspace.id, workspace, {"name": change(was, name)})


def read_days(field: str, text: str) -> int | None:
    """A number of days; None for an empty field. Raises RefusedError."""
    text = text.strip()
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST_DAYS))
    if not is_number or not SHORTEST_DAYS <= int(text) <= LONGEST_DAYS:
        raise RefusedError(
            field, f"Enter a whole number of days from {SHORTEST_DAYS} to {LONGEST_DAYS}."
        )
    return int(text)


def keep_for(workspace: Workspace, days: dict[str, int | None]) -> None:
    """Set the periods by their fields; None stands for the server's."""
    with writing() as session:
        told = {}
        for period in PERIODS:
            told[period.field] = change(getattr(workspace, period.field), days[period.field])
            setattr(workspace, period.field, days[period.field])
        if any(told.values()):
            note(session, "retention_changed", workspace.id, workspace, told)

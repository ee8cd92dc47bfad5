"""What stands below each list: from when its oldest item is, and how long such things are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement

from app.console.formatting import plural
from app.console.guards import current_workspace
from app.models import Alert, Event, Run
from app.processing.oldest import find_oldest
from app.processing.retention import MESSAGES_KEPT
from app.workspaces.settings import kept_days


class Words(NamedTuple):
    """What a list's items are called, what they did at the moment that is told, and how long they
    are kept: by a workspace's setting, or for a fixed number of days."""

    noun: str
    verb: str
    periods: tuple[tuple[str, str | int], ...]


WORDS = {
    "event": Words(
        "event",
        "came",
        (
            ("Refused requests are kept", "rejected_days"),
            ("other events", "event_days"),
            ("failures", "failure_days"),
        ),
    ),
    "run": Words(
        "run", "ended", (("Successes are kept", "event_days"), ("failures", "failure_days"))
    ),
    "failure": Words("failed run", "was told", (("Failures are kept", "failure_days"),)),
    "alert": Words("past alert", "began", (("Past alerts are kept", "failure_days"),)),
    "delivery": Words("message", "was put in", (("Messages are kept", MESSAGES_KEPT.days),)),
    "problem": Words(
        "of these requests", "came", (("Refused requests are kept", "rejected_days"),)
    ),
}


class KeptSince(NamedTuple):
    """What the line below a list says; without an item there is no line."""

    noun: str
    verb: str
    oldest: datetime | None
    periods: str


def kept_since(what: str, oldest: datetime | None) -> KeptSince:
    words, workspace = WORDS[what], current_workspace()
    periods = (
        f"{text} {plural(kept_days(workspace, days) if isinstance(days, str) else days, 'day')}"
        for text, days in words.periods
    )
    return KeptSince(words.noun, words.verb, oldest, ", ".join(periods) + ".")


def kept_events(scope: Sequence[int | None]) -> KeptSince:
    return _of_any("event", [Event.workspace_id == each for each in scope])


def kept_runs(workflow_id: int | None = None) -> KeptSince:
    """Of the workspace, or of a workflow."""
    mine = Run.workspace_id == current_workspace().id
    return _of_any("run", [mine if workflow_id is None else Run.workflow_id == workflow_id])


def kept_failures() -> KeptSince:
    return _of_any("failure", [Run.workspace_id == current_workspace().id])


def kept_alerts() -> KeptSince:
    return _of_any("alert", [Alert.workspace_id == current_workspace().id])


def kept_deliveries(whose: ColumnElement[bool]) -> KeptSince:
    return _of_any("delivery", [whose])


def _of_any(what: str, owners: Sequence[ColumnElement[bool]]) -> KeptSince:
    found = [find_oldest(what, whose) for whose in owners]
    return kept_since(what, min((each for each in found if each), default=None))

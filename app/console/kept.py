"""What stands below each list: from when its oldest item is, and how long such things are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement

from app.clock import now
from app.console.formatting import plural
from app.console.guards import current_workspace
from app.models import RETENTION, RUNNING, STUCK, Alert, Silence, Workflow
from app.processing.oldest import find_oldest, find_oldest_event, find_oldest_run, went_for_size
from app.processing.retention import MESSAGES_KEPT
from app.workspaces.audit import STRANGERS_DAYS
from app.workspaces.settings import kept_days


class Words(NamedTuple):
    """What a list's items are called, what they did at the moment that is told, and how long they
    are kept: by a workspace's setting, by the server's, or for a fixed number of days."""

    noun: str
    verb: str
    periods: tuple[tuple[str, str | int], ...]


_OF_RUNS = (("Successes are kept", "event_days"), ("failures", "failure_days"))
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
    "processed": Words("processed event", "came", (("Processed events are kept", "event_days"),)),
    "failed": Words(
        "event that was not processed", "came", (("Failures are kept", "failure_days"),)
    ),
    "rejected": Words("refused request", "came", (("Refused requests are kept", "rejected_days"),)),
    "run": Words("run", "was told", _OF_RUNS),
    "workflow_run": Words("run of the workspace", "was told", _OF_RUNS),
    "success": Words("successful run", "was told", (("Successes are kept", "event_days"),)),
    "failure": Words("failed run", "was told", (("Failures are kept", "failure_days"),)),
    "running": Words("open run", "was told", (("Open runs are kept", "failure_days"),)),
    "alert": Words("past alert", "began", (("Past alerts are kept", "failure_days"),)),
    "delivery": Words("message", "was put in", (("Messages are kept", MESSAGES_KEPT.days),)),
    "silence": Words("silence", "began", (("Silences are kept", RETENTION["failure_days"]),)),
    "entry": Words(
        "entry", "was made", (("Refused sign-ins and wrong passwords are kept", STRANGERS_DAYS),)
    ),
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
    words = WORDS[what]
    days = {setting: _count_days(setting) for _, setting in words.periods}
    periods = (f"{text} {plural(days[setting], 'day')}" for text, setting in words.periods)
    told = ", ".join(periods) + "."
    return KeptSince(words.noun, words.verb, oldest, told + (_BY_SIZE if _went(days) else ""))


_BY_SIZE = " Some went before that, as the database had reached its limit."
_PURGED = {"rejected_days": "rejected", "event_days": "success", "failure_days": "failure"}
"""What the record of removals calls what goes by each setting."""


def _went(days: Mapping[str | int, int]) -> bool:
    if not current_app.config["FLOWPULSE_MAX_DATABASE_MB"]:
        return False
    return went_for_size(
        {
            _PURGED[setting]: now() - timedelta(days=count)
            for setting, count in days.items()
            if setting in _PURGED
        }
    )


def _count_days(days: str | int) -> int:
    if isinstance(days, int):
        return days
    is_of_server = days in current_app.config
    return current_app.config[days] if is_of_server else kept_days(current_workspace(), days)


def kept_events(scope: Sequence[int | None], state: str | None = None) -> KeptSince:
    """Of a list of all events, or of those in a state."""
    what = state if state and state in WORDS else "event"  # Those that wait never go.
    return kept_since(what, find_oldest_event(scope, state))


def kept_runs(outcome: str | None = None) -> KeptSince:
    """Of a list of all runs, or of those with an outcome."""
    kind = RUNNING if outcome == STUCK else outcome
    return kept_since(kind or "run", find_oldest_run(current_workspace().id, kind))


def kept_runs_of_workflow() -> KeptSince:
    """All workflows' go alike, and no index leads to when a workflow's first was told."""
    return kept_since("workflow_run", find_oldest_run(current_workspace().id))


def kept_alerts() -> KeptSince:
    return _kept("alert", Alert.workspace_id == current_workspace().id)


def kept_deliveries(whose: ColumnElement[bool]) -> KeptSince:
    return _kept("delivery", whose)


def kept_silences(workflow: Workflow, listed: Sequence[Silence], most: int) -> KeptSince:
    """Asks only where the list may not reach back to the oldest."""
    if len(listed) < most:
        return kept_since("silence", listed[-1].silent_since if listed else None)
    return _kept("silence", Silence.workflow_id == workflow.id)


def kept_entries(oldest: datetime | None) -> KeptSince:
    """Of the audit log: all else in it stays."""
    since = kept_since("entry", oldest)
    return since._replace(periods=f"{since.periods} All other entries are kept for good.")


def _kept(what: str, whose: ColumnElement[bool]) -> KeptSince:
    return kept_since(what, find_oldest(what, whose))

"""Which events a reader wants to see: read from the URL, and turned into conditions for SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import select

from app.console.event_text import contains_code, contains_text
from app.console.url_filter import (
    OUTCOMES,
    BadValue,
    Condition,
    Parameter,
    UrlFilter,
    Value,
    choice,
    period,
    read_code,
    read_fingerprint,
    read_platform,
    read_since,
    read_text,
    read_until,
    read_workflow,
    storable,
)
from app.extensions import db
from app.models import ApiKey, Event
from app.problems import PROBLEMS, exact_codes
from app.processing.runs import kinds_that_tell

STATE_LABELS = {
    "accepted": "Accepted",
    "processed": "Processed",
    "failed": "Not processed",
    "rejected": "Rejected",
}
SENDERS = {"senders": "Senders", "people": "People, from here"}
PERIODS = {
    "15m": ("Last 15 minutes", timedelta(minutes=15)),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
}

NO_KEY_TEXT, NO_KEY_LABEL = "none", "No known key"
NO_KEY = 0
"""Stands for the key of requests that came with none that is known. The ids of keys begin at 1."""

# --- how each parameter is read -----------------------------------------------------------------


def _read_key(text: str, workspace_id: int) -> Value:
    if text == NO_KEY_TEXT:
        return Value(NO_KEY, NO_KEY_LABEL)
    key = db.session.execute(
        select(ApiKey.id, ApiKey.name).where(
            ApiKey.workspace_id == workspace_id, ApiKey.public_id == storable(text)
        )
    ).first()
    if key is None:
        raise BadValue("There is no API key with this id.")
    return Value(key.id, key.name)


# --- how each becomes a condition ---------------------------------------------------------------


def _of_key(key_id: int) -> Condition:
    if key_id == NO_KEY:  # What a person has sent from the console needs none.
        unsigned = Event.api_key_id.is_(None) & Event.sent_by.is_(None)
        return (Event.state == "rejected") & unsigned
    return Event.api_key_id == key_id


_OF_PROCESSING: dict[str, Callable[[], Condition]] = {
    "processing_failed": lambda: Event.state == "failed",
    "processing_retrying": lambda: (Event.state == "accepted") & Event.failure.is_not(None),
}


def _of_code(code: str) -> Condition:
    if code in _OF_PROCESSING:
        return _OF_PROCESSING[code]()
    return Event.code.in_(exact_codes(code)) if _is_of_request(code) else contains_code(code)


def _of_sender(by: str) -> Condition:
    return Event.origin.is_(None) if by == "senders" else Event.origin.is_not(None)


def _is_of_request(code: str | None) -> bool:
    return code is not None and PROBLEMS[code].kind == "request"


def _of_outcome(outcome: str) -> Condition:
    return Event.kind.in_(kinds_that_tell(outcome))


PARAMETERS: dict[str, Parameter] = {
    "state": Parameter(
        "State", choice(STATE_LABELS), Event.state.__eq__, ("processed", "failed").__contains__
    ),
    "q": Parameter("Text", read_text, contains_text, lambda text: True),
    "outcome": Parameter("Outcome", choice(OUTCOMES), _of_outcome),
    "code": Parameter("Code", read_code, _of_code, _OF_PROCESSING.__contains__),
    "workflow": Parameter("Workflow", read_workflow, Event.workflow_id.__eq__),
    "key": Parameter("Key", _read_key, _of_key),
    "by": Parameter("Sent by", choice(SENDERS), _of_sender),
    "platform": Parameter("From", read_platform, Event.platform.__eq__),
    "period": Parameter("Time", period(PERIODS), Event.received_at.__ge__),
    "since": Parameter("Since", read_since, Event.received_at.__ge__),
    "until": Parameter("Until", read_until, Event.received_at.__lt__),
    "problem": Parameter("Problem", read_fingerprint, Event.fingerprint.__eq__),
}
"""All parameters of the log's URL that choose events; the rest tell where the page begins."""
CHANGING = frozenset({"state", "q", "code"})
"""Parameters that an event may fit at one time and not at another."""


@dataclass(frozen=True)
class EventFilter(UrlFilter):
    """A filter of the log."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = PARAMETERS

    @property
    def is_of_warning(self) -> bool:
        """Whether all that fits was accepted with a warning."""
        code: str | None = self.value("code")
        return code is not None and PROBLEMS[code].kind == "warning"

    @property
    def may_come_true(self) -> bool:
        """Whether events may enter the list when they are processed."""
        return any(PARAMETERS[part.name].may_come_true(part.value) for part in self.parts)

    def lasting_conditions(self) -> list[Condition]:
        """Those that an event fits for good or never, whatever the worker makes of it."""
        return [
            PARAMETERS[part.name].condition(part.value)
            for part in self.parts
            if part.name not in CHANGING
        ]

    def reaches(self, moment: datetime) -> bool:
        """Whether events that come from this moment on can fit."""
        until = self.value("until")
        return until is None or until > moment

    @property
    def since(self) -> datetime | None:
        """The later of the two limits in the past."""
        limits = [each for each in (self.value("period"), self.value("since")) if each]
        return max(limits, default=None)

    @property
    def small_state(self) -> str | None:
        """The state of all that fits, where it is one that few events are in."""
        is_unsigned = self.value("key") == NO_KEY
        if is_unsigned or self.value("problem") or _is_of_request(self.value("code")):
            return "rejected"
        state: str | None = self.value("state")
        return None if state == "processed" else state


def read_filter(arguments: Mapping[str, str], workspace_id: int) -> EventFilter:
    """The filter in a URL's parameters; empty ones count as not given."""
    return EventFilter.read(arguments, workspace_id)

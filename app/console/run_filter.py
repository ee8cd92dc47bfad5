"""Which runs a reader wants to see: read from the URL, and turned into conditions for SQL."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import ClassVar

from sqlalchemy import Select, SQLColumnExpression, Text, literal_column, or_, select, type_coerce

from app.clock import now
from app.console.event_text import fold, holds
from app.console.formatting import duration
from app.console.url_filter import (
    OUTCOMES,
    BadValue,
    Condition,
    Parameter,
    Part,
    UrlFilter,
    Value,
    choice,
    period,
    read_fingerprint,
    read_platform,
    read_since,
    read_text,
    read_until,
    read_workflow,
)
from app.extensions import is_sqlite
from app.models import RUNNING, STUCK, Run, has_outcome

RUN_OUTCOMES = {**OUTCOMES, RUNNING: "Running", STUCK: "Stuck"}
"""Where a run stands; one that is stuck runs as well."""
OPEN = frozenset({RUNNING, STUCK})
PERIODS = {
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
}
MAX_CORRELATION = 255
_LONGEST = timedelta(days=36_500)
_TEXTS = (
    Run.public_id,
    Run.external_execution_id,
    Run.source_workflow_id,
    Run.correlation_id,
    Run.error_type,
    Run.error_message,
)


def is_failure() -> Condition:
    """Spelt out, so that SQLite sees that the partial index fits."""
    return Run.outcome == literal_column("'failure'")


def is_of(workspace_id: int, *, leads: bool) -> Condition:
    """Runs of the workspace. Unless it leads, another condition has the better index: SQLite would
    go through all of the workspace's runs, which are in order already; PostgreSQL knows better."""
    column = Run.workspace_id + 0 if is_sqlite() and not leads else Run.workspace_id
    return column == workspace_id


def _read_correlation(text: str, workspace_id: int) -> Value:
    if len(text) > MAX_CORRELATION or "\0" in text:
        raise BadValue(f"A correlation id has at most {MAX_CORRELATION} characters.")
    return Value(text, text)


def _read_seconds(text: str, workspace_id: int) -> Value:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not (isfinite(seconds) and 0 <= seconds < 1e12):
        raise BadValue("Write a number of seconds such as 30 or 1.5.")
    return Value(seconds * 1_000, duration(seconds * 1_000))


def _contains(text: str) -> Condition:
    """Runs that hold the text in an id, in the error, or in their metadata."""
    needle, escaped = fold(text), fold(json.dumps(text)[1:-1])
    places = [holds(type_coerce(Run.details, Text), escaped)]
    if "\0" not in needle:
        places += [holds(column, needle) for column in _TEXTS]
    return or_(*places)


def _of_error(error_group: str) -> Condition:
    return is_failure() & (Run.error_group == error_group)


def _ids_of(workspace_id: int, correlation_id: str) -> Select[int]:
    """A query of its own, which has no order that could lead it to another index."""
    return select(Run.id).where(
        Run.workspace_id == workspace_id, Run.correlation_id == correlation_id
    )


def _runs_longer_than(ms: float) -> Condition:
    return Run.started_at < now() - min(timedelta(milliseconds=ms), _LONGEST)


PARAMETERS: dict[str, Parameter] = {
    "q": Parameter("Text", read_text, _contains),
    "outcome": Parameter("Outcome", choice(RUN_OUTCOMES), has_outcome),
    "workflow": Parameter("Workflow", read_workflow, Run.workflow_id.__eq__),
    "platform": Parameter("From", read_platform, Run.source_platform.__eq__),
    "longer": Parameter("Longer than", _read_seconds, Run.duration_ms.__gt__),
    "period": Parameter("Time", period(PERIODS), Run.ended_at.__ge__),
    "since": Parameter("Since", read_since, Run.ended_at.__ge__),
    "until": Parameter("Until", read_until, Run.ended_at.__lt__),
    "error": Parameter("Error", read_fingerprint, _of_error),
    "correlation": Parameter("Correlation", _read_correlation, Run.correlation_id.__eq__),
}
"""All parameters of the list's URL that choose runs; the rest tell where the page begins."""
INDEXED = frozenset({"workflow", "period", "since", "until", "error", "correlation"})
"""Parameters by which an index leads straight to the runs that fit."""
OF_OPEN_RUNS: dict[str, Parameter] = {
    **PARAMETERS,
    "period": Parameter("Time", period(PERIODS), Run.started_at.__ge__),
    "since": Parameter("Since", read_since, Run.started_at.__ge__),
    "until": Parameter("Until", read_until, Run.started_at.__lt__),
    "longer": Parameter("Longer than", _read_seconds, _runs_longer_than),
}
"""The same for runs that have not ended, which are where they began."""


@dataclass(frozen=True)
class RunFilter(UrlFilter):
    """A filter of the run history."""

    PARAMETERS: ClassVar[Mapping[str, Parameter]] = PARAMETERS
    max_correlation: ClassVar[int] = MAX_CORRELATION

    @property
    def is_of_open_runs(self) -> bool:
        return self.value("outcome") in OPEN

    @property
    def moment(self) -> SQLColumnExpression[datetime | None]:
        """What the runs are in order of: their ends, or the starts of those that have none."""
        return Run.started_at if self.is_of_open_runs else Run.ended_at

    def among_open_runs(self) -> "RunFilter | None":
        """The same filter for the runs that have not ended; None where it leaves all of them out,
        or asks for them itself."""
        if self.errors or self.value("outcome") or self.value("error"):
            return None
        part = Part("outcome", RUNNING, RUNNING, RUN_OUTCOMES[RUNNING])
        return replace(self, parts=(*self.parts, part), given=(*self.given, part[:2]))

    def conditions(self) -> list[Condition]:
        return [self._condition(part) for part in self.parts]

    def indexed_conditions(self, workspace_id: int) -> list[Condition]:
        """Those that an index answers, of runs of this workspace alone."""
        parts = [part for part in self.parts if part.name in self._indexed]
        found = [self._condition(part) for part in parts]
        if correlation_id := self.value("correlation"):
            found.append(Run.id.in_(_ids_of(workspace_id, correlation_id)))
        leads = {part.name for part in parts} & {"workflow", "error", "correlation"}
        return [is_of(workspace_id, leads=not leads), *found]

    def other_conditions(self) -> list[Condition]:
        """Those for which runs must be looked at one by one."""
        return [self._condition(part) for part in self.parts if part.name not in self._indexed]

    @property
    def _indexed(self) -> frozenset[str]:
        """Open runs are few, and have an index of their own."""
        return INDEXED | {"outcome"} if self.is_of_open_runs else INDEXED

    def _condition(self, part: Part) -> Condition:
        known = OF_OPEN_RUNS if self.is_of_open_runs else PARAMETERS
        return known[part.name].condition(part.value)

"""Failures by error: those whose type and message are alike, as one line."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select

from app.beginnings import without_last_word
from app.console.run_filter import is_failure, is_of
from app.extensions import db
from app.models import Run, Workflow
from app.processing.error_groups import find_pattern
from app.redaction import mask_text

_MOST_READ = 1_000
PATTERN_LENGTH = 300


class ErrorGroup(NamedTuple):
    """Failures of the chosen time with the same error; `first_at` is the first of all kept ones."""

    fingerprint: str
    failures: int
    first_at: datetime
    last_at: datetime
    error_type: str
    pattern: str
    workflow: Workflow
    workflows: int

    @property
    def title(self) -> str:
        """What tells it from others in the fewest words."""
        return self.pattern or self.error_type


class Tally(NamedTuple):
    """How often an error came, when it came last, and in how many workflows."""

    fingerprint: str
    failures: int
    last_at: datetime
    workflows: int


def count_groups(
    workspace_id: int,
    since: datetime | None = None,
    workflow_id: int | None = None,
    fingerprint: str | None = None,
) -> list[Tally]:
    """The groups that failed since then, the most frequent first; from the index alone."""
    count, last_at = func.count(), func.max(Run.ended_at)
    query: Any = (
        select(Run.error_group, count, last_at, func.count(Run.workflow_id.distinct()))
        .where(*_failures_of(workspace_id), Run.error_group.is_not(None))
        .group_by(Run.error_group)
        .order_by(count.desc(), last_at.desc())
    )
    if fingerprint is not None:
        query = query.where(Run.error_group == fingerprint)
    if since is not None:
        query = query.where(Run.ended_at >= since)
    if workflow_id is not None:
        query = query.where(Run.workflow_id + 0 == workflow_id)
    return [Tally(row[0] or "", *row[1:]) for row in db.session.execute(query)]


def _failures_of(workspace_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return is_of(workspace_id, leads=False), is_failure()


def describe_groups(workspace_id: int, tallies: Sequence[Tally]) -> list[ErrorGroup]:
    """These groups, in words: what their newest failures say."""
    if not tallies:
        return []
    mine = _failures_of(workspace_id)
    firsts = _look_up(
        select(func.min(Run.ended_at)).where(*mine, Run.error_group == each.fingerprint)
        for each in tallies
    )
    newest = _describe_newest(
        select(Run.id)
        .where(*mine, Run.error_group == each.fingerprint, Run.ended_at == each.last_at)
        .limit(1)
        for each in tallies
    )
    return [
        ErrorGroup(
            tally.fingerprint,
            tally.failures,
            first_at,
            tally.last_at,
            error_type,
            find_pattern(mask_text(without_last_word(text, _MOST_READ)))[:PATTERN_LENGTH],
            workflow,
            tally.workflows,
        )
        for tally, first_at in zip(tallies, firsts, strict=True)
        if tally.fingerprint in newest
        for error_type, text, workflow in [newest[tally.fingerprint]]
    ]


def _look_up(queries: Iterable[Select[Any]]) -> Sequence[Any]:
    """What each query finds along the index, in one statement: together, SQLite would go through
    all failures."""
    return db.session.execute(select(*(each.scalar_subquery() for each in queries))).one()


def _describe_newest(queries: Iterable[Select[Any]]) -> dict[str, tuple[str, str, Workflow]]:
    """The error type, the message's beginning, and the workflow, by group."""
    message = func.substr(Run.error_message, 1, _MOST_READ)
    query = (
        select(Run.error_group, Run.error_type, message, Workflow)
        .join(Workflow, Workflow.id == Run.workflow_id)
        .where(Run.id.in_(_look_up(queries)))
    )
    return {
        group or "": (error_type or "", text or "", workflow)
        for group, error_type, text, workflow in db.session.execute(query)
    }

"""What the log's filter offers to choose from."""

from typing import NamedTuple

from sqlalchemy import select

from app.console.event_filter import (
    NO_KEY_LABEL,
    NO_KEY_TEXT,
    PERIODS,
    SENDERS,
    STATE_LABELS,
    EventFilter,
)
from app.console.url_filter import OUTCOMES, UrlFilter
from app.extensions import db
from app.models import ApiKey, Workflow
from app.problems import PROBLEMS

MAX_CHOICES = 100
"""Of workflows and keys; the others are a click on a row away."""
PLATFORMS = ("n8n", "make", "zapier", "cron", "python", "node")

Choices = list[tuple[str, str]]


class FilterChoices(NamedTuple):
    """Value and label of all that each parameter can be."""

    states: Choices
    outcomes: Choices
    periods: Choices
    codes: Choices
    workflows: Choices
    keys: Choices
    senders: Choices
    platforms: tuple[str, ...] = PLATFORMS


def list_choices(workspace_id: int, wanted: EventFilter) -> FilterChoices:
    return FilterChoices(
        states=list(STATE_LABELS.items()),
        outcomes=list(OUTCOMES.items()),
        periods=[(name, label) for name, (label, _) in PERIODS.items()],
        codes=_with_given(_list_codes(), wanted, "code"),
        workflows=list_workflow_choices(workspace_id, wanted),
        keys=_with_given(_list_keys(workspace_id), wanted, "key"),
        senders=list(SENDERS.items()),
    )


def _list_codes() -> Choices:
    """Those that stand in the log by themselves; those of single fields are found as well."""
    codes = [problem.code for problem in PROBLEMS.values() if problem.kind == "request"]
    return [(code, code) for code in codes]


def list_workflow_choices(workspace_id: int, wanted: UrlFilter) -> Choices:
    return _with_given(_list_workflows(workspace_id), wanted, "workflow")


def _list_workflows(workspace_id: int) -> Choices:
    rows = db.session.execute(
        select(Workflow.public_id, Workflow.name)
        .where(Workflow.workspace_id == workspace_id)
        .order_by(Workflow.archived_at.is_not(None), Workflow.name)
        .limit(MAX_CHOICES)
    )
    return [(public_id, name) for public_id, name in rows]


def _list_keys(workspace_id: int) -> Choices:
    rows = db.session.execute(
        select(ApiKey.public_id, ApiKey.name, ApiKey.revoked_at)
        .where(ApiKey.workspace_id == workspace_id)
        .order_by(ApiKey.revoked_at.is_not(None), ApiKey.name)
        .limit(MAX_CHOICES)
    )
    named = [
        (public_id, f"{name} (revoked)" if revoked_at else name)
        for public_id, name, revoked_at in rows
    ]
    return [(NO_KEY_TEXT, NO_KEY_LABEL), *named]


def _with_given(choices: Choices, wanted: UrlFilter, name: str) -> Choices:
    """With what the URL asks for, also where it is not among the first."""
    text = wanted.texts.get(name)
    if text is None or any(value == text for value, _ in choices):
        return choices
    shown = next((part.shown for part in wanted.parts if part.name == name), text)
    return [*choices, (text, shown)]

"""Why requests were refused: the most frequent reasons, for an alert's message and its page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.alerting.kinds.kind import Detail
from app.alerting.sights import are_refused
from app.channels.wording import cut
from app.models import ApiKey, Event, UnstoredCount, Workflow
from app.problems import presentable
from app.redaction import mask_text
from app.refusal_titles import title_of_refusal
from app.signs import show_signs_in_line

MOST_REASONS = 3
MOST_NAME = 80
"""Characters of a key's name, and of what a workflow is called."""
MOST_TEXT = 400
"""Characters of a reason."""


class Reason(TypedDict):
    """As the detail of an alert keeps it; `event` is the public id of the newest such request,
    empty where they were only counted."""

    count: int
    text: str
    event: str


class _Group(NamedTuple):
    """Requests that were refused for the same reason; what follows their number is the newest's."""

    times: int
    id: int
    public_id: str
    code: str | None
    errors: list[dict[str, Any]] | None
    reference: str | None
    kind: str | None
    path: str
    key: str | None
    workflow: str | None
    workflow_id: str | None


def find_reasons(session: Session, workspace_id: int, since: datetime) -> Detail:
    """The most frequent reasons since then, by the groups of the page of problems, as an alert's
    detail keeps them; with the public id of the newest request among them."""
    groups = _list_groups(session, workspace_id, since)
    found: list[Reason] = [
        {"count": each.times, "text": _describe(each), "event": each.public_id} for each in groups
    ]
    found += _list_unstored(session, workspace_id, since)
    found.sort(key=lambda reason: reason["count"], reverse=True)
    shown = found[:MOST_REASONS]
    told = {reason["event"] for reason in shown}
    newest = max((each for each in groups if each.public_id in told), key=_by_id, default=None)
    return {"reasons": shown, "event": newest.public_id if newest else ""}


def reasons_of(detail: Detail) -> Sequence[Reason]:
    """What was found last; nothing of alerts that kept none."""
    reasons: Sequence[Reason] = detail.get("reasons", ())
    return reasons


def in_words(reason: Reason) -> str:
    """`12 × ended_at is missing (validation_failed), key n8n-prod, for lead-enrichment`."""
    return f"{reason['count']:,} × {reason['text']}"


def _by_id(group: _Group) -> int:
    return group.id


def _list_groups(session: Session, workspace_id: int, since: datetime) -> list[_Group]:
    count, newest = func.count(Event.id), func.max(Event.id)
    groups = (
        select(count.label("count"), newest.label("newest"))
        .where(*are_refused(workspace_id, since))
        .group_by(Event.fingerprint, Event.code)
        .order_by(count.desc(), newest.desc())
        .limit(MOST_REASONS)
        .subquery()
    )
    query = (
        select(
            groups.c.count,
            Event.id,
            Event.public_id,
            Event.code,
            Event.errors,
            Event.reference,
            Event.kind,
            Event.path,
            ApiKey.name,
            Workflow.name,
            Workflow.public_id,
        )
        .select_from(groups)
        .join(Event, Event.id == groups.c.newest)
        .outerjoin(ApiKey, ApiKey.id == Event.api_key_id)
        .outerjoin(Workflow, Workflow.id == Event.workflow_id)
        .order_by(groups.c.count.desc(), Event.id.desc())
    )
    return [_Group(*row) for row in session.execute(query)]


def _list_unstored(session: Session, workspace_id: int, since: datetime) -> list[Reason]:
    """Of those that came too fast to be stored, the code alone is known."""
    count = func.sum(UnstoredCount.count)
    query = (
        select(UnstoredCount.code, count)
        .where(UnstoredCount.workspace_id == workspace_id, UnstoredCount.minute_at > since)
        .group_by(UnstoredCount.code)
        .order_by(count.desc())
        .limit(MOST_REASONS)
    )
    return [
        {"count": int(number), "text": f"{_title(code, ())}, only counted", "event": ""}
        for code, number in session.execute(query)
    ]


def _title(code: str, errors: Sequence[dict[str, Any]]) -> str:
    title = title_of_refusal(code, errors)
    return title if title == code else f"{title} ({code})"


def _shown(text: str) -> str:
    """Cut once its secrets are hidden: this is told to others."""
    return cut(mask_text(text), MOST_NAME)


def _describe(group: _Group) -> str:
    parts = [_title(str(group.code), group.errors or ())]
    if group.key:
        parts.append(f"key {_shown(group.key)}")
    named = group.workflow if group.reference == group.workflow_id else group.reference
    if named:
        parts.append(f"for {_shown(named)}")
    elif not group.kind:
        parts.append(f"at {_shown(group.path)}")
    return cut(show_signs_in_line(presentable(mask_text(", ".join(parts)))), MOST_TEXT)

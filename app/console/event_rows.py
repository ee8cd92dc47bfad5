"""Events as the rows of a file: all that the log with its filter shows, on all of its pages."""

from collections.abc import Iterator
from typing import Any

from app.console.event_bounds import newest_id
from app.console.event_filter import EventFilter
from app.console.event_search import Found, Scope, list_ids, load_events, search
from app.console.event_summary import summarise
from app.extensions import db
from app.models import Event
from app.redaction import mask_text, mask_value
from app.url_secrets import mask_url_secrets

READ_AT_ONCE = 200
COLUMNS = (
    "id",
    "received_at",
    "state",
    "kind",
    "workflow_id",
    "workflow_slug",
    "workflow_name",
    "summary",
    "summary_text",
    "api_key_name",
    "sent_by",
    "origin",
    "platform",
    "method",
    "path",
    "http_status",
    "code",
    "detail",
    "errors",
    "warnings",
    "took_ms",
    "body_size",
    "remote_addr",
    "user_agent",
    "execution_id",
    "correlation_id",
    "run_id",
    "attempts",
    "failure",
    "processed_at",
    "resolved_at",
)
"""Of the file, in this order. Headers and bodies are not in it: each event's page has those."""


def read_rows(scope: Scope, wanted: EventFilter) -> Iterator[list[dict[str, Any]]]:
    """All that fit and are there now, the newest first, in batches.

    Nothing is held from one batch to the next: no transaction, and no row.
    """
    before: int | None = newest_id() + 1
    while before is not None:
        found = _find(scope, wanted, before)
        rows = [_describe(event) for event in load_events(found.ids)] if found.ids else []
        is_full = len(found.ids) == READ_AT_ONCE
        before = min(found.ids) if is_full else found.stopped_at
        db.session.expunge_all()
        db.session.rollback()
        yield rows


def _find(scope: Scope, wanted: EventFilter, before: int) -> Found:
    if wanted:
        return search(scope, wanted, READ_AT_ONCE, before)
    return Found(list_ids(scope, READ_AT_ONCE, before=before))


def _describe(event: Event) -> dict[str, Any]:
    """By COLUMNS, with secrets hidden as in the list."""
    workflow, key, run, summary = event.workflow, event.api_key, event.run, summarise(event)
    return {
        "id": event.public_id,
        "received_at": event.received_at,
        "state": event.state,
        "kind": event.kind,
        "workflow_id": workflow and workflow.public_id,
        "workflow_slug": workflow and workflow.slug,
        "workflow_name": workflow and workflow.name,
        "summary": summary.title or None,
        "summary_text": summary.text or None,
        "api_key_name": key and key.name,
        "sent_by": event.sent_by,
        "origin": event.origin,
        "platform": mask(event.platform),
        "method": event.method,
        "path": mask(mask_url_secrets(event.path)),
        "http_status": event.status,
        "code": event.code,
        "detail": mask(event.detail),
        "errors": mask_value(event.errors),
        "warnings": mask_value(event.warnings),
        "took_ms": event.took_ms,
        "body_size": event.body_size,
        "remote_addr": event.remote_addr,
        "user_agent": mask(event.user_agent),
        "execution_id": mask(event.execution_id or (run.external_execution_id if run else None)),
        "correlation_id": mask(event.correlation_id or (run.correlation_id if run else None)),
        "run_id": run and run.public_id,
        "attempts": event.attempts,
        "failure": mask(event.failure),
        "processed_at": event.processed_at,
        "resolved_at": event.resolved_at,
    }


def mask(text: str | None) -> str | None:
    """A text from outside without its secrets: a list reveals nothing, for nobody."""
    return None if text is None else mask_text(text)

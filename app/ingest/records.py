"""Rows as ingest writes and reads them: plain tuples, no ORM."""

from datetime import datetime
from typing import Any, NamedTuple


class NewEvent(NamedTuple):
    """A row for the events table, in the order of the statement's columns."""

    public_id: str
    workspace_id: int | None
    api_key_id: int | None
    workflow_id: int | None
    received_at: datetime
    state: str
    kind: str | None
    platform: str | None
    origin: str | None
    sent_by: str | None
    attempt_of_id: int | None
    method: str
    path: str
    headers: str
    body: bytes
    body_size: int | None
    remote_addr: str | None
    user_agent: str | None
    status: int
    code: str | None
    detail: str | None
    errors: str | None
    warnings: str | None
    took_ms: float
    reference: str | None
    execution_id: str | None
    correlation_id: str | None
    fingerprint: str | None
    payload: str | None
    next_attempt_at: datetime | None


class KnownKey(NamedTuple):
    """An API key as the database has it now; without an id, one that nobody sent."""

    id: int | None
    workspace_id: int
    name: str
    scopes: str
    expires_at: datetime | None
    revoked_at: datetime | None
    workflow_ids: str | None
    """JSON: the primary keys of the workflows that it is limited to."""


class LastEvent(NamedTuple):
    """What is to be known of the event before."""

    kind: str
    payload: dict[str, Any]


class KnownWorkflow(NamedTuple):
    """A workflow as the database has it now."""

    id: int
    public_id: str
    slug: str
    name: str
    archived_at: object


class FormerWorkflow(NamedTuple):
    """A workflow that was found by the slug it had before, and until when that works."""

    workflow: KnownWorkflow
    expires_at: datetime


class RememberedAnswer(NamedTuple):
    """The first answer to an Idempotency-Key, and what was asked."""

    request_hash: str
    answer: str


class IdempotentClaim(NamedTuple):
    """An Idempotency-Key that goes with an event, with the answer to remember."""

    workspace_id: int
    key: str
    request_hash: str
    answer: str
    created_at: datetime

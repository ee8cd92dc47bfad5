"""Rows as ingest writes and reads them: plain tuples, no ORM."""

from datetime import datetime
from typing import NamedTuple


class NewEvent(NamedTuple):
    """A row for the events table, in the order of the statement's columns."""

    public_id: str
    workspace_id: int | None
    api_key_id: int | None
    workflow_id: int | None
    received_at: datetime
    state: str
    kind: str | None
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
    payload: str | None
    next_attempt_at: datetime | None


class KnownKey(NamedTuple):
    """An API key as the database has it now."""

    id: int
    workspace_id: int
    name: str
    scopes: str
    expires_at: datetime | None
    revoked_at: datetime | None


class KnownWorkflow(NamedTuple):
    """A workflow as the database has it now."""

    id: int
    public_id: str
    slug: str
    name: str
    archived_at: object


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


class KeyUse(NamedTuple):
    last_used_at: datetime
    api_key_id: int

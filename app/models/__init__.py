"""The tables."""

from app.models.account import ROLES, Instance, Membership, User, UserSession, Workspace
from app.models.api_key import SCOPES, ApiKey
from app.models.event import IDEMPOTENCY_WINDOW, STATES, Event, IdempotencyKey, UnstoredCount
from app.models.operation import RateBucket, WorkerHeartbeat
from app.models.run import OUTCOMES, PERIODS, Rollup, Run
from app.models.workflow import NAME_LENGTH, SLUG_LENGTH, Workflow

__all__ = [
    "IDEMPOTENCY_WINDOW",
    "NAME_LENGTH",
    "OUTCOMES",
    "PERIODS",
    "ROLES",
    "SCOPES",
    "SLUG_LENGTH",
    "STATES",
    "ApiKey",
    "Event",
    "IdempotencyKey",
    "Instance",
    "Membership",
    "RateBucket",
    "Rollup",
    "Run",
    "UnstoredCount",
    "User",
    "UserSession",
    "WorkerHeartbeat",
    "Workflow",
    "Workspace",
]

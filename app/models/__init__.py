"""The tables."""

from app.models.account import (
    RETENTION,
    ROLES,
    THEMES,
    Instance,
    Membership,
    User,
    UserSession,
    Workspace,
)
from app.models.api_key import SCOPES, ApiKey, KeyUsage
from app.models.event import (
    IDEMPOTENCY_WINDOW,
    IS_WARNED,
    ORIGINS,
    STATES,
    Event,
    IdempotencyKey,
    IgnoredProblem,
    UnstoredCount,
    of_state,
)
from app.models.operation import RateBucket, WorkerHeartbeat
from app.models.run import OUTCOMES, PERIODS, Rollup, Run
from app.models.workflow import (
    FORMER_SLUG_LIFETIME,
    NAME_LENGTH,
    SLUG_LENGTH,
    FormerSlug,
    Workflow,
)

__all__ = [
    "FORMER_SLUG_LIFETIME",
    "IDEMPOTENCY_WINDOW",
    "IS_WARNED",
    "NAME_LENGTH",
    "ORIGINS",
    "OUTCOMES",
    "PERIODS",
    "RETENTION",
    "ROLES",
    "SCOPES",
    "SLUG_LENGTH",
    "STATES",
    "THEMES",
    "ApiKey",
    "Event",
    "FormerSlug",
    "IdempotencyKey",
    "IgnoredProblem",
    "Instance",
    "KeyUsage",
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
    "of_state",
]

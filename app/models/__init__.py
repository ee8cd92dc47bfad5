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
    ORIGINS,
    STATES,
    Event,
    IdempotencyKey,
    IgnoredProblem,
    UnstoredCount,
    of_state,
)
from app.models.operation import RateBucket, WorkerHeartbeat
from app.models.run import OUTCOMES, PERIODS, Rollup, Run, WorkspaceRollup
from app.models.workflow import (
    FORMER_SLUG_LIFETIME,
    NAME_LENGTH,
    SLUG_LENGTH,
    URL_LENGTH,
    FormerSlug,
    Workflow,
)

__all__ = [
    "FORMER_SLUG_LIFETIME",
    "IDEMPOTENCY_WINDOW",
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
    "URL_LENGTH",
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
    "WorkspaceRollup",
    "of_state",
]

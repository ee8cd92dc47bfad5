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
from app.models.run import OUTCOMES, PERIODS, RUNNING, Rollup, Run, is_open
from app.models.schedule import (
    EXPRESSION_LENGTH,
    SCHEDULE_KINDS,
    Downtime,
    Schedule,
    Silence,
)
from app.models.workflow import (
    FORMER_SLUG_LIFETIME,
    NAME_LENGTH,
    SLUG_LENGTH,
    STUCK_AFTER,
    FormerSlug,
    Workflow,
)

__all__ = [
    "EXPRESSION_LENGTH",
    "FORMER_SLUG_LIFETIME",
    "IDEMPOTENCY_WINDOW",
    "NAME_LENGTH",
    "ORIGINS",
    "OUTCOMES",
    "PERIODS",
    "RETENTION",
    "ROLES",
    "RUNNING",
    "SCHEDULE_KINDS",
    "SCOPES",
    "SLUG_LENGTH",
    "STATES",
    "STUCK_AFTER",
    "THEMES",
    "ApiKey",
    "Downtime",
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
    "Schedule",
    "Silence",
    "UnstoredCount",
    "User",
    "UserSession",
    "WorkerHeartbeat",
    "Workflow",
    "Workspace",
    "is_open",
    "of_state",
]

"""A thing that needs attention, as a line, and what its sources look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.console.open_problems import Group, Scope
from app.console.worker_trouble import WorkerTrouble
from app.console.workflow_health import WorkflowHealth


@dataclass(frozen=True, slots=True)
class Situation:
    """What the sources look at."""

    workspace_id: int
    scope: Scope
    health: Sequence[WorkflowHealth]
    groups: Sequence[Group]
    worker: WorkerTrouble | None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing, and what helps: a link, and an action as a form for who may change things.

    `key` is the same for the same thing each time; `at` is when it was last so.
    """

    key: str
    tone: str
    icon: str
    title: str
    text: str
    link: tuple[str, str]
    at: datetime | None = None
    action: tuple[str, str] | None = None

"""What a test event supposes, where the workspace gives no occasion for a refusal: a key of some
kind, another workflow, or that the server refuses before it reads so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.clock import now
from app.ingest.records import FormerWorkflow, KnownKey, KnownWorkflow
from app.ingest.references import Directory
from app.ingest.service import ingest_service
from app.keys import make_key
from app.models import FORMER_SLUG_LIFETIME, Workflow
from app.problems import ProblemError

Fields = Mapping[str, Any]
"""Fields of an Attempt."""
Suppose = Callable[[Workflow], Fields]

OTHER = KnownWorkflow(0, "anotherworkflowfortests1", "another-workflow", "Another workflow", None)
FORMER_SLUG = "the-slug-before"
_KEY = KnownKey(None, 0, "a test’s", "ingest", None, None, None)


@dataclass(frozen=True)
class SupposedWorkflows:
    """Some workflows besides those of the store, or in their place."""

    store: Directory
    known: tuple[KnownWorkflow, ...] = ()
    former: Mapping[str, KnownWorkflow] = field(default_factory=dict)

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None:
        found = next((each for each in self.known if getattr(each, column) == value), None)
        return found or self.store.find_workflow(workspace_id, column, value)

    def find_former_slug(
        self, workspace_id: int, slug: str, now: datetime
    ) -> FormerWorkflow | None:
        if slug in self.former:
            return FormerWorkflow(self.former[slug], now + FORMER_SLUG_LIFETIME)
        return self.store.find_former_slug(workspace_id, slug, now)

    def suggest_slug(self, workspace_id: int, value: str) -> str | None:
        return self.store.suggest_slug(workspace_id, value)


def nothing(workflow: Workflow) -> Fields:
    return {}


def key_is(**state: Any) -> Suppose:
    """It comes with a key that would be good, but for this; times are given from now."""

    def suppose(workflow: Workflow) -> Fields:
        told: dict[str, Any] = {
            name: now() + value if isinstance(value, timedelta) else value
            for name, value in state.items()
        }
        key = _KEY._replace(workspace_id=workflow.workspace_id, **told)
        return {"api_key": key, "checks_key": True, **_sent(make_key())}

    return suppose


def key_sent(make: Callable[[], str | None]) -> Suppose:
    """It comes with this key, which is looked for; None: with none."""

    def suppose(workflow: Workflow) -> Fields:
        key = make()
        return {"checks_key": True, **(_sent(key) if key else {})}

    return suppose


def _sent(key: str) -> dict[str, Any]:
    return {"headers": (("X-API-Key", key),)}


def archived(workflow: Workflow) -> Fields:
    return {"workflows": _suppose(_known(workflow)._replace(archived_at=now()))}


def another(workflow: Workflow) -> Fields:
    return {"workflows": _suppose(OTHER)}


def renamed_since(workflow: Workflow) -> Fields:
    store = ingest_service().store
    return {"workflows": SupposedWorkflows(store, former={FORMER_SLUG: _known(workflow)})}


def refused(code: str, detail: str | None = None, **fields: Any) -> Suppose:
    """The server refuses it before it reads so far."""
    return lambda workflow: {"refused": ProblemError(code, detail), **fields}


def _suppose(*known: KnownWorkflow) -> SupposedWorkflows:
    return SupposedWorkflows(ingest_service().store, known)


def _known(workflow: Workflow) -> KnownWorkflow:
    names = (workflow.public_id, workflow.slug, workflow.name)
    return KnownWorkflow(workflow.id, *names, workflow.archived_at)

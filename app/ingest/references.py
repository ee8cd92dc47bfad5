"""Which workflow an event is about, by id, slug or name."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from app.clock import now
from app.ingest.records import FormerWorkflow, KnownKey, KnownWorkflow
from app.problems import FieldError, ProblemError, presentable

REFERENCES = {"workflow_id": "public_id", "workflow_slug": "slug", "workflow_name": "name"}
"""The fields that name a workflow, the deciding one first, with the column of each."""


class Directory(Protocol):
    """Where workflows are looked up: the store, or what a test supposes to be there."""

    def find_workflow(self, workspace_id: int, column: str, value: str) -> KnownWorkflow | None: ...
    def find_former_slug(
        self, workspace_id: int, slug: str, now: datetime
    ) -> FormerWorkflow | None: ...
    def suggest_slug(self, workspace_id: int, value: str) -> str | None: ...


def find_workflow(
    store: Directory, workspace_id: int, fields: Mapping[str, Any], warnings: list[FieldError]
) -> KnownWorkflow:
    """The workflow that the first of the given references names.

    Raises ProblemError `workflow_not_found`, `workflow_archived`, or `validation_failed` when a
    further reference names another workflow; one that names none is a warning.
    """
    given = [(field, fields[field]) for field in REFERENCES if field in fields]
    field, value = given[0]
    workflow = _look_up(store, workspace_id, field, value)
    if workflow is None and field == "workflow_slug":
        workflow = _look_up_former(store, workspace_id, value, warnings)
    if workflow is None:
        raise _not_found(store, workspace_id, field, value)
    if len(given) > 1:
        errors = _compare(store, workspace_id, workflow, given[1:], warnings)
        if errors:
            raise ProblemError("validation_failed", errors=errors)
    if workflow.archived_at is not None:
        raise ProblemError(
            "workflow_archived",
            f"The workflow {workflow.name!r} is archived. Restore it under Workflows, "
            "or stop sending its runs.",
        )
    return workflow


def _look_up(store: Directory, workspace_id: int, field: str, value: str) -> KnownWorkflow | None:
    return store.find_workflow(workspace_id, REFERENCES[field], value)


def _look_up_former(
    store: Directory, workspace_id: int, slug: str, warnings: list[FieldError]
) -> KnownWorkflow | None:
    """A slug works on for a while after a rename."""
    former = store.find_former_slug(workspace_id, slug, now())
    if former is None:
        return None
    workflow, expires_at = former
    message = (
        f"workflow_slug {slug!r} is what {workflow.name!r} had before it was renamed. "
        f"It works until {expires_at:%Y-%m-%d}."
    )
    fix = f"Send {workflow.slug!r}, or the workflow_id {workflow.public_id!r}, which never changes."
    warnings.append(FieldError("workflow_slug", "former_slug", message, fix, slug))
    return workflow


def require_allowed(key: KnownKey, workflow: KnownWorkflow, fields: Mapping[str, Any]) -> None:
    """Raises ProblemError `workflow_not_allowed` where the key is limited to other workflows."""
    if key.workflow_ids is None or workflow.id in _read_ids(key.workflow_ids):
        return
    field = next(name for name in REFERENCES if name in fields)
    message = f"The key {key.name!r} is limited to other workflows than {workflow.name!r}."
    error = FieldError(field, "workflow_not_allowed", message, received=fields[field])
    raise ProblemError("workflow_not_allowed", errors=[error])


def read_allowed(key: KnownKey) -> frozenset[int]:
    """The primary keys of the only workflows that the key works for; none where it has no limit."""
    return _read_ids(key.workflow_ids) if key.workflow_ids else frozenset()


@lru_cache(maxsize=256)
def _read_ids(workflow_ids: str) -> frozenset[int]:
    return frozenset(json.loads(workflow_ids))


def _compare(
    store: Directory,
    workspace_id: int,
    workflow: KnownWorkflow,
    others: list[tuple[str, str]],
    warnings: list[FieldError],
) -> list[FieldError]:
    """The references that name another workflow; what names none becomes a warning."""
    errors = []
    for field, value in others:
        other = _look_up(store, workspace_id, field, value)
        if other is None:
            warnings.append(_stale(workflow, field, value))
        elif other.id != workflow.id:
            errors.append(_mismatch(workflow, other, field, value))
    return errors


def list_mismatches(
    store: Directory, workspace_id: int, body: Mapping[str, Any]
) -> list[FieldError]:
    """The same for a body that is refused for other fields: one answer tells all of them."""
    texts = ((field, body.get(field)) for field in REFERENCES)
    given = [(field, presentable(value)) for field, value in texts if value and type(value) is str]
    if len(given) < 2:
        return []
    workflow = _look_up(store, workspace_id, *given[0])
    return _compare(store, workspace_id, workflow, given[1:], []) if workflow else []


def _stale(workflow: KnownWorkflow, field: str, value: str) -> FieldError:
    return FieldError(
        field,
        "stale_workflow_reference",
        f"No workflow has the {field} {value[:80]!r}; the event went to {workflow.name!r}.",
        f"Leave {field} out, or send {_current(workflow, field)!r}.",
        value,
    )


def _mismatch(workflow: KnownWorkflow, other: KnownWorkflow, field: str, value: str) -> FieldError:
    return FieldError(
        field,
        "workflow_mismatch",
        f"{field} names the workflow {other.name!r}, but another field names {workflow.name!r}.",
        f"Leave {field} out, or send {_current(workflow, field)!r}.",
        value,
    )


def _current(workflow: KnownWorkflow, field: str) -> str:
    value: str = getattr(workflow, REFERENCES[field])
    return value


def _not_found(store: Directory, workspace_id: int, field: str, value: str) -> ProblemError:
    slug = store.suggest_slug(workspace_id, value)
    hint = (
        f"Did you mean workflow_slug {slug!r}?"
        if slug
        else "Create it under Workflows, then send its workflow_id or workflow_slug."
    )
    message = f"No workflow has the {field} {value[:80]!r}."
    return ProblemError(
        "workflow_not_found",
        f"{message} {hint}",
        errors=[FieldError(field, "workflow_not_found", message, hint, value)],
    )

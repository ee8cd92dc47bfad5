"""The reading endpoints: workflows, events and runs of the key's workspace."""

import json
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from app.api.documents import EVENT, RUN, WORKFLOW
from app.api.openapi import build_document
from app.api.pages import invalid_parameter, list_page, read_choice, read_moment, read_page_request
from app.extensions import db
from app.ingest.authentication import require_key
from app.ingest.intake import open_intake
from app.ingest.service import ingest_service
from app.models import OUTCOMES, RUNNING, STATES, STUCK, Event, Run, Workflow, has_outcome
from app.problems import ProblemError
from app.processing.oldest import find_oldest

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
public_blueprint = Blueprint("api_public", __name__, url_prefix="/api/v1")
_get = partial(blueprint.get, strict_slashes=False)
"""A slash at the end is tolerated, as it is by the ingest endpoints."""

_WATCH = (joinedload(Workflow.schedule), joinedload(Workflow.open_silence))
_EVENT_PARTS = (joinedload(Event.workflow), joinedload(Event.api_key), joinedload(Event.run))


@blueprint.before_request
def require_read_scope() -> None:
    service = ingest_service()
    intake = open_intake(request.environ)
    key = require_key(intake, "read", service)
    g.workspace_id = key.workspace_id
    g.workflow_ids = json.loads(key.workflow_ids) if key.workflow_ids else None
    _refuse_nul()


def _refuse_nul() -> None:
    """A NUL is in nothing that is stored, and PostgreSQL won't even look for it."""
    if "\0" in request.path:
        raise ProblemError("not_found")
    for name, value in request.args.items():
        if "\0" in value:
            raise invalid_parameter(name, value, "Send it without the NUL character.")


@_get("/workflows")
def list_workflows() -> Response:
    query = _of_key(select(Workflow), Workflow.workspace_id, Workflow.id).options(*_WATCH)
    return jsonify(list_page(query, Workflow.id, read_page_request(request.args), WORKFLOW))


@_get("/workflows/<reference>")
def show_workflow(reference: str) -> Response:
    return jsonify(WORKFLOW.dump(find_workflow(reference)))


@_get("/events")
def list_events() -> Response:
    query = _of_key(select(Event), Event.workspace_id, Event.workflow_id).options(*_EVENT_PARTS)
    if status := read_choice(request.args, "status", STATES):
        query = query.where(Event.state == status)
    query = _filter(query, Event.workflow_id, Event.received_at)
    page = read_page_request(request.args)
    return jsonify(list_page(query, Event.id, page, EVENT, oldest_at=_oldest("event", Event)))


@_get("/events/<event_id>")
def show_event(event_id: str) -> Response:
    query = _of_key(select(Event), Event.workspace_id, Event.workflow_id)
    query = query.where(Event.public_id == event_id)
    return jsonify(EVENT.dump(_found(db.session.scalar(query.options(*_EVENT_PARTS)), "event")))


@_get("/runs")
def list_runs() -> Response:
    query = _of_key(select(Run), Run.workspace_id, Run.workflow_id)
    query = query.options(joinedload(Run.workflow))
    if outcome := read_choice(request.args, "outcome", (*OUTCOMES, RUNNING, STUCK)):
        query = query.where(has_outcome(outcome))
    for name in ("correlation_id", "external_execution_id", "error_group"):
        if value := request.args.get(name):
            query = query.where(getattr(Run, name) == value)
    if platform := request.args.get("platform"):
        query = query.where(Run.source_platform == platform.lower())
    query = _filter(query, Run.workflow_id, func.coalesce(Run.ended_at, Run.started_at))
    page = read_page_request(request.args)
    return jsonify(list_page(query, Run.id, page, RUN, oldest_at=_oldest("run", Run)))


@_get("/runs/<run_id>")
def show_run(run_id: str) -> Response:
    query = _of_key(select(Run), Run.workspace_id, Run.workflow_id).where(Run.public_id == run_id)
    return jsonify(
        RUN.dump(_found(db.session.scalar(query.options(joinedload(Run.workflow))), "run"))
    )


@public_blueprint.get("/openapi.json")
def show_openapi() -> Response:
    return jsonify(build_document())


def find_workflow(reference: str) -> Workflow:
    """The workspace's workflow with this id or slug; raises `not_found`."""
    query = _of_key(select(Workflow), Workflow.workspace_id, Workflow.id).where(
        or_(Workflow.public_id == reference, Workflow.slug == reference),
    )
    workflow: Workflow = _found(
        db.session.scalar(query.order_by(Workflow.public_id != reference)), "workflow"
    )
    return workflow


def _of_key(query: Any, workspace_id: Any, workflow_id: Any) -> Any:
    """What the key may read: its workspace's or, where it is limited, its workflows'."""
    query = query.where(workspace_id == g.workspace_id)
    return query if g.workflow_ids is None else query.where(workflow_id.in_(g.workflow_ids))


def _filter(query: Any, workflow_id: Any, moment: Any) -> Any:
    """By `workflow` (id or slug), `since` (from then on) and `until` (before then)."""
    if reference := request.args.get("workflow"):
        query = query.where(workflow_id == find_workflow(reference).id)
    if since := read_moment(request.args, "since"):
        query = query.where(moment >= since)
    if until := read_moment(request.args, "until"):
        query = query.where(moment < until)
    return query


def _oldest(what: str, table: type[Event] | type[Run]) -> str | None:
    """Of the whole workspace, whatever is asked for: what is older is gone."""
    moment = find_oldest(what, table.workspace_id == g.workspace_id)
    return moment.isoformat() if moment else None


def _found(row: Any, what: str) -> Any:
    if row is None:
        raise ProblemError("not_found", f"The key's workspace has no such {what}.")
    return row

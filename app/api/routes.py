"""The reading endpoints: workflows, events and runs of the key's workspace."""

import json
from datetime import datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from app.api.documents import EVENT, RUN, WORKFLOW
from app.api.openapi import build_document, serves_others
from app.api.pages import invalid_parameter, list_page, read_choice, read_moment, read_page_request
from app.api.seeking import EXACT, Span, seek_events, seek_runs, seek_workflows
from app.extensions import db
from app.ingest.authentication import require_key
from app.ingest.intake import open_intake
from app.ingest.service import ingest_service
from app.links import public_url
from app.models import OUTCOMES, RUNNING, STATES, STUCK, Event, Run, Workflow
from app.problems import ProblemError
from app.processing.oldest import find_oldest_event, find_oldest_run

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
    sought = seek_workflows(g.workspace_id, g.workflow_ids)
    page = read_page_request(request.args)
    return jsonify(list_page(select(Workflow).options(*_WATCH), sought, page, WORKFLOW))


@_get("/workflows/<reference>")
def show_workflow(reference: str) -> Response:
    return jsonify(WORKFLOW.dump(find_workflow(reference)))


@_get("/events")
def list_events() -> Response:
    status = read_choice(request.args, "status", STATES)
    sought = seek_events(g.workspace_id, g.workflow_ids, status=status, span=_read_span())
    page = read_page_request(request.args)
    query = select(Event).options(*_EVENT_PARTS)
    oldest_at = _as_text(find_oldest_event([g.workspace_id], status))
    return jsonify(list_page(query, sought, page, EVENT, oldest_at=oldest_at))


@_get("/events/<event_id>")
def show_event(event_id: str) -> Response:
    query = _of_key(select(Event), Event.workspace_id, Event.workflow_id)
    query = query.where(Event.public_id == event_id)
    return jsonify(EVENT.dump(_found(db.session.scalar(query.options(*_EVENT_PARTS)), "event")))


@_get("/runs")
def list_runs() -> Response:
    outcome = read_choice(request.args, "outcome", (*OUTCOMES, RUNNING, STUCK))
    sought = seek_runs(
        g.workspace_id,
        g.workflow_ids,
        outcome=outcome,
        exact={name: value for name in EXACT if (value := request.args.get(name))},
        span=_read_span(),
    )
    page = read_page_request(request.args)
    query = select(Run).options(joinedload(Run.workflow))
    oldest_at = _as_text(find_oldest_run(g.workspace_id, outcome))
    return jsonify(list_page(query, sought, page, RUN, oldest_at=oldest_at))


@_get("/runs/<run_id>")
def show_run(run_id: str) -> Response:
    query = _of_key(select(Run), Run.workspace_id, Run.workflow_id).where(Run.public_id == run_id)
    return jsonify(
        RUN.dump(_found(db.session.scalar(query.options(joinedload(Run.workflow))), "run"))
    )


@public_blueprint.get("/openapi.json")
def show_openapi() -> Response:
    """What this server is set to serve, with its address, as people outside see it."""
    document = build_document(has_others=serves_others())
    return jsonify({**document, "servers": [{"url": public_url() or "/"}]})


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


def _read_span() -> Span:
    """`workflow` (id or slug), `since` (from then on) and `until` (before then)."""
    reference = request.args.get("workflow")
    return Span(
        find_workflow(reference).id if reference else None,
        read_moment(request.args, "since"),
        read_moment(request.args, "until"),
    )


def _as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _found(row: Any, what: str) -> Any:
    if row is None:
        raise ProblemError("not_found", f"The key's workspace has no such {what}, or not any more.")
    return row

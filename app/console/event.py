"""One event: what came, what was answered, why, and what became of it."""

import base64
import codecs
import json
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer

from app.clock import now
from app.console.guards import visible_workspace_ids
from app.console.overview import worker_stands_still
from app.console.signs import show_signs
from app.errors import problem_document
from app.extensions import db, writing
from app.models import ApiKey, Event
from app.problems import PROBLEMS, Problem, public_code
from app.processing.inbox import MAX_ATTEMPTS, retry

blueprint = Blueprint("event", __name__)


class Body(NamedTuple):
    """A body as text; `encoded` is its base64, where it is no UTF-8."""

    text: str
    encoded: str | None
    is_cut: bool


class Finding(NamedTuple):
    """One error or warning of an event, with its row of the troubleshooting table."""

    entry: dict[str, Any]
    problem: Problem | None


@blueprint.get("/events/<public_id:public_id>")
def show_event(public_id: str) -> str:
    event = find_event(public_id)
    return render_template(
        "console/event.html",
        event=event,
        problem=find_problem(event),
        errors=find_rows(event.errors),
        warnings=find_rows(event.warnings),
        body=read_body(event),
        answer=json.dumps(rebuild_answer(event), indent=2, ensure_ascii=False),
        phrase=HTTPStatus(event.status).phrase,
        max_attempts=MAX_ATTEMPTS,
        worker_stands_still=event.state == "accepted" and worker_stands_still(),
    )


@blueprint.get("/events/<public_id:public_id>/body")
def download_body(public_id: str) -> Response:
    event = find_event(public_id)
    response = Response(event.body, content_type="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.bin")
    return response


@blueprint.post("/events/<public_id:public_id>/retry")
def retry_event(public_id: str) -> ResponseReturnValue:
    if put_back(find_event(public_id)):
        flash("The event is in the queue again.", "success")
    else:
        flash("The event does not wait for a retry any more.", "message")
    return redirect(url_for("event.show_event", public_id=public_id), 303)


def find_event(public_id: str) -> Event:
    """The event with all that its page shows; 404 outside of what the user may see."""
    event = db.session.scalar(
        select(Event)
        .where(Event.public_id == public_id)
        .options(
            joinedload(Event.workflow),
            joinedload(Event.run),
            joinedload(Event.api_key).joinedload(ApiKey.revoked_by),
            undefer(Event.headers),
            undefer(Event.body),
        )
    )
    if event is None or event.workspace_id not in visible_workspace_ids():
        abort(404, "There is no such event. Refused requests are kept for a few days only.")
    return event


def put_back(event: Event) -> bool:
    """Give a failed event back to the worker; False if it had not failed."""
    event_id = event.id
    with writing() as session:
        return retry(session, [event_id], now()) == 1


def find_problem(event: Event) -> Problem | None:
    """The row that explains the event's state, if there is anything to explain."""
    if event.state == "failed":
        return PROBLEMS["processing_failed"]
    if event.state == "accepted" and event.failure:
        return PROBLEMS["processing_retrying"]
    return PROBLEMS.get(event.code or "")


def find_rows(entries: list[dict[str, Any]] | None) -> list[Finding]:
    return [Finding(entry, PROBLEMS.get(str(entry.get("code")))) for entry in entries or []]


def rebuild_answer(event: Event) -> dict[str, Any]:
    """The JSON that the sender got."""
    if event.code is None:
        answer: dict[str, Any] = {"event_id": event.public_id, "status": "accepted"}
        if event.warnings:
            names = ("field", "code", "message")
            answer["warnings"] = [
                {name: each.get(name) for name in names} for each in event.warnings
            ]
        return answer
    said = public_code(event.code)
    detail = event.detail if said == event.code else PROBLEMS[said].fix
    return problem_document(said, event.status, detail or "", event.errors, event.public_id)


def read_body(event: Event) -> Body:
    """The stored body for reading; a sign that was cut in half at the end is left out."""
    is_cut = event.body_size is not None and len(event.body) < event.body_size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(event.body, final=not is_cut)
        encoded = None
    except UnicodeDecodeError:
        text = event.body.decode("utf-8", "replace")
        encoded = base64.encodebytes(event.body).decode("ascii")
    return Body(show_signs(text), encoded, is_cut)

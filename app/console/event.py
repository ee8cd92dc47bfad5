"""One event: what came, what was answered, why, and what became of it."""

import base64
import json
import time
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import joinedload, undefer

from app.clock import now
from app.console.body_places import BodyText, Place, find_places
from app.console.body_view import view_body
from app.console.clocks import compare_clocks
from app.console.decisions import explain_decision
from app.console.fixes import Fixes, read_body
from app.console.guards import visible_workspace_ids
from app.console.header_view import view_headers, write_headers
from app.console.hidden import (
    cover_bytes,
    cover_places,
    hides_values,
    is_revealed,
    may_reveal,
    open_event,
    without_secret_members,
    without_secrets,
)
from app.console.long_text import cut_text
from app.console.related import MOST as MOST_RELATED
from app.console.related import find_related
from app.console.reproduction import FILE_NAMES, reproduce
from app.console.worker_trouble import find_worker_trouble
from app.errors import RETRIED, RETRY_SECONDS, allowed_methods
from app.extensions import db, writing
from app.identifiers import is_new
from app.ingest.batch_items import describe_accepted
from app.ingest.batch_places import find_place
from app.ingest.limits import told_wait
from app.ingest.packed_bodies import read_note, without_note
from app.links import public_url_for
from app.models import ApiKey, Event
from app.problem_documents import problem_document
from app.problems import PROBLEMS, Problem, public_code
from app.processing.inbox import MAX_ATTEMPTS, retry

NO_ERRORS: Mapping[str, list[str]] = MappingProxyType({})
NO_FORM: Mapping[str, str] = MappingProxyType({})

NEW_SECONDS = 5
LOOK_SECONDS = 0.05
LOOKS = 20
"""One that came within these seconds may not be written yet: it is looked for so often again."""
_KEPT = "If there was one, it is past its time: see how long events are kept in the settings."
_JUST_CAME = "If it came this very moment, it is not written yet: load this page again."
_MOST_ENCODED = 3_000
_MOST_OF_AN_ANSWER = 6_000
_MOST_OF_A_MESSAGE = 8_000
"""Bytes of the HTML that shows it."""
blueprint = Blueprint("event", __name__)


class Finding(NamedTuple):
    """One error or warning of an event, its place, and its row of the troubleshooting table."""

    entry: dict[str, Any]
    problem: Problem | None
    place: Place | None = None


@blueprint.get("/events/<public_id:public_id>")
def show_event(public_id: str) -> str:
    return render_event(find_event(public_id))


def render_event(
    event: Event,
    errors: Mapping[str, list[str]] = NO_ERRORS,
    form: Mapping[str, str] = NO_FORM,
) -> str:
    """The page; `errors` and `form` are those of a form that makes or names a
    workflow."""
    body = read_body(event)
    found = find_places(body, event.errors or [], event.warnings or [])
    covered, places, place_of = cover_places(body, *found)
    return render_template(
        "console/event.html",
        event=event,
        problem=find_problem(event),
        errors=find_rows(event.errors, place_of),
        warnings=find_rows(event.warnings, place_of, len(event.errors or [])),
        clocks=compare_clocks(event, body),
        decision=explain_decision(event),
        fixes=Fixes(event) if event.state == "rejected" else None,
        related=find_related(event),
        most_related=MOST_RELATED,
        body=body,
        encoded=_encode(body),
        left_out=read_note(event.detail),
        hides_values=hides_values(event, body),
        is_revealed=is_revealed(),
        may_reveal=may_reveal(),
        message=cut_text(without_secrets(_message_of(event)), _MOST_OF_A_MESSAGE),
        headers=view_headers(event.headers),
        view=view_body(covered, places, begin=request.args.get("body", type=int)),
        answer=_fit(_write(without_secret_members(rebuild_answer(event)))),
        answer_headers=rebuild_headers(event),
        reproductions=reproduce(event),
        phrase=HTTPStatus(event.status).phrase,
        place_in_batch=find_place(event.kind, event.path),
        max_attempts=MAX_ATTEMPTS,
        worker_trouble=find_worker_trouble() if event.state == "accepted" else None,
        permalink=public_url_for("event.show_event", public_id=event.public_id),
        workflow_errors=errors,
        workflow_form=form,
    )


@blueprint.get("/events/<public_id:public_id>/body")
def download_body(public_id: str) -> Response:
    event = find_event(public_id)
    response = Response(cover_bytes(read_body(event)), content_type="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=f"{public_id}.bin")
    return response


@blueprint.get("/events/<public_id:public_id>/headers")
def download_headers(public_id: str) -> Response:
    text = write_headers(find_event(public_id).headers)
    response = Response(text, content_type="text/plain; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{public_id}-headers.txt")
    return response


@blueprint.get("/events/<public_id:public_id>/as/<name>")
def download_reproduction(public_id: str, name: str) -> Response:
    found = next((each for each in reproduce(find_event(public_id)) if each.name == name), None)
    if found is None:
        abort(404, "The request can't be written in that language.")
    response = Response(found.code + "\n", content_type="text/plain; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=FILE_NAMES[name])
    return response


@blueprint.post("/events/<public_id:public_id>/retry")
def retry_event(public_id: str) -> ResponseReturnValue:
    if put_back(find_event(public_id)):
        flash("The event is in the queue again.", "success")
    else:
        flash("The event does not wait for a retry any more.", "message")
    return redirect(url_for("event.show_event", public_id=public_id), 303)


def find_event(public_id: str) -> Event:
    """The event with all that its page shows; 404 outside of what the user may see.

    A refused request is written moments after its answer, which holds this page's address: one that
    has just come is waited for.
    """
    event = _read_event(public_id)
    looks = LOOKS if event is None and is_new(public_id, NEW_SECONDS) else 0
    while event is None and looks:
        db.session.rollback()  # What this session sees is older than the event.
        time.sleep(LOOK_SECONDS)
        event, looks = _read_event(public_id), looks - 1
    if event is None or event.workspace_id not in visible_workspace_ids():
        is_late = event is None and is_new(public_id, NEW_SECONDS)
        abort(404, f"There is no such event. {_JUST_CAME if is_late else _KEPT}")
    open_event(event)
    return event


def _read_event(public_id: str) -> Event | None:
    return db.session.scalar(
        select(Event)
        .where(Event.public_id == public_id)
        .options(
            joinedload(Event.workflow),
            joinedload(Event.run),
            joinedload(Event.api_key).joinedload(ApiKey.revoked_by),
            undefer(Event.headers),
            undefer(Event.body),
            undefer(Event.payload),
        )
    )


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


def find_rows(
    entries: list[dict[str, Any]] | None, place_of: Mapping[int, Place], first: int = 0
) -> list[Finding]:
    """`first`: the index that the first of the entries has in `place_of`. The first of each code
    brings the table's row: once is enough."""
    unexplained = dict(PROBLEMS)
    return [
        Finding(entry, unexplained.pop(str(entry.get("code")), None), place_of.get(index))
        for index, entry in enumerate(without_secret_members(entries or []), first)
    ]


def rebuild_answer(event: Event) -> dict[str, Any]:
    """The JSON that the sender got; of an event in a batch, its entry there."""
    if event.code is None:
        answer: dict[str, Any] = {"event_id": event.public_id, "status": "accepted"}
        if event.warnings:
            names = ("field", "code", "message")
            answer["warnings"] = [
                {name: each.get(name) for name in names} for each in event.warnings
            ]
        return describe_accepted(answer) if is_of_batch(event) else answer
    said = public_code(event.code)
    detail = without_note(event.detail or "") if said == event.code else PROBLEMS[said].fix
    return problem_document(said, event.status, detail, event.errors, event.public_id)


def rebuild_headers(event: Event) -> list[tuple[str, str]]:
    """The headers of the answer that told the sender what to do; a batch's are not its events'."""
    if is_of_batch(event):
        return []
    if event.code is None:
        return [("Location", f"/api/v1/events/{event.public_id}")]
    if event.status == HTTPStatus.UNAUTHORIZED:
        return [("WWW-Authenticate", "Bearer")]
    if event.code in RETRIED:
        return [("Retry-After", RETRY_SECONDS)]
    if event.code == "method_not_allowed":
        return [("Allow", allowed_methods(urlsplit(event.path).path))]
    wait = told_wait(event.detail or "") if event.code == "rate_limited" else None
    return [("Retry-After", wait)] if wait else []


def is_of_batch(event: Event) -> bool:
    """Whether it came with others in one request."""
    return find_place(event.kind, event.path) is not None


def _message_of(event: Event) -> str:
    return (event.run and event.run.error_message) or ""


def _write(answer: Any) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _fit(answer: str) -> str:
    """Its first lines, where all of them would be too much: the page tells each finding above."""
    lines, weight = answer.split("\n"), 0
    for index, line in enumerate(lines):
        weight += len(escape(line).encode())
        if weight > _MOST_OF_AN_ANSWER:
            return "\n".join([*lines[:index], "…"])
    return answer


def _encode(body: BodyText) -> str:
    """As base64 what is no text, unless that is too long for a page."""
    if body.is_utf8 or len(body.raw) > _MOST_ENCODED:
        return ""
    return base64.encodebytes(cover_bytes(body)).decode("ascii")

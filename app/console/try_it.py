"""Sends what stands in the API reference's form as a test event, in the reader's name."""

import json

from flask import Blueprint, abort, render_template, request

from app.console.event import find_event, rebuild_answer
from app.console.guards import current_workspace, signed_in_user
from app.extensions import db
from app.ingest.attempts import Attempt, send
from app.ingest.schemas import EVENT_KINDS

blueprint = Blueprint("try_it", __name__)


@blueprint.post("/docs/try/<kind>")
def send_test(kind: str) -> str:
    """A refusal is a good answer here: the page that shows it is 200."""
    if kind not in EVENT_KINDS:
        abort(404, "There is no such event.")
    outcome = send(
        Attempt(
            origin="test",
            sent_by=signed_in_user().email,
            workspace_id=current_workspace().id,
            kind=EVENT_KINDS[kind],
            body=request.form.get("body", "").encode("utf-8", "replace"),
            headers=(("Content-Type", "application/json"),),
        )
    )
    db.session.rollback()  # What this session sees so far is older than the event.
    event = find_event(outcome.event_id)
    answer = json.dumps(rebuild_answer(event), indent=2, ensure_ascii=False)
    return render_template("console/tried.html", event=event, answer=answer, kind=kind)

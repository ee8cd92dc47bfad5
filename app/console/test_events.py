"""Test events: sent by a person from a workflow's page, good or broken, to see what comes of it."""

import json
from collections.abc import Iterator
from dataclasses import replace

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.console.event import find_event, rebuild_answer
from app.console.guards import signed_in_user
from app.console.test_bodies import Body, Make, good_body
from app.console.test_kind import TestEvent
from app.console.test_kinds import TESTS
from app.console.workflow_list import find_workflow
from app.extensions import db
from app.htmx import is_for_htmx
from app.identifiers import new_id
from app.ingest.attempts import Attempt, send
from app.ingest.schemas import EVENT_KINDS
from app.models import Workflow

blueprint = Blueprint("test_events", __name__)


@blueprint.post("/workflows/<public_id:public_id>/test")
def send_test(public_id: str) -> ResponseReturnValue:
    """In place for htmx; without JavaScript, the event that it became."""
    workflow, test = find_workflow(public_id), TESTS.get(request.form.get("test", ""))
    if test is None:
        abort(404, "There is no such test event.")
    *_, outcome = [send(each) for each in make_attempts(test, workflow, signed_in_user().email)]
    if not is_for_htmx():
        return redirect(url_for("event.show_event", public_id=outcome.event_id), 303)
    db.session.rollback()  # What this session sees so far is older than the event.
    event = find_event(outcome.event_id)
    answer = json.dumps(rebuild_answer(event), indent=2, ensure_ascii=False)
    return render_template(
        "console/_test_outcome.html",
        workflow=find_workflow(public_id),
        test=test,
        outcome=outcome,
        answer=answer,
    )


def make_attempts(test: TestEvent, workflow: Workflow, sent_by: str) -> Iterator[Attempt]:
    """The requests of this test for the workflow, ready to be sent; it is about the last one."""
    body, token = good_body(test.kind, workflow), new_id()
    headers = {"Content-Type": "application/json", "User-Agent": "FlowPulse test"}
    headers |= {name: value.replace("{new}", token) for name, value in test.headers}
    supposed = dict(test.suppose(workflow))
    headers |= dict(supposed.pop("headers", ()))
    attempt = Attempt(
        origin="test",
        sent_by=sent_by,
        workspace_id=workflow.workspace_id,
        kind=EVENT_KINDS[test.kind],
        body=b"",
        headers=tuple(headers.items()),
        **supposed,
    )
    for make in filter(None, (test.before, test.make)):
        yield replace(attempt, body=_encode(make, body))


def _encode(make: Make, body: Body) -> bytes:
    made = make(body)
    return made if isinstance(made, bytes) else made.encode()

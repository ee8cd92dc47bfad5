"""Test events: sent by a person from a workflow's page, good or broken, to see what comes of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.clock import now
from app.console.guards import signed_in_user
from app.console.workflow_list import find_workflow
from app.htmx import is_for_htmx
from app.identifiers import new_id
from app.ingest.attempts import Attempt, send
from app.ingest.schemas import EVENT_KINDS
from app.keys import make_key
from app.models import Workflow

blueprint = Blueprint("test_events", __name__)

Body = dict[str, Any]
_TOOK = timedelta(milliseconds=1_240)


@dataclass(frozen=True, slots=True)
class TestEvent:
    """A request to try: `make` gives its body from that of a good one.

    `code` and `finding` are what it is refused with: the answer's code, and that of the one field
    or slip that it names; a good one has neither.
    """

    name: str
    label: str
    kind: str
    shows: str
    make: Callable[[Body], str]
    code: str | None = None
    finding: str | None = None
    checks_key: bool = False

    __test__ = False  # For pytest, which takes a class of this name for tests.


def _whole(body: Body) -> str:
    return json.dumps(body, indent=2)


def _with(**changes: Any) -> Callable[[Body], str]:
    """The body with these members; None leaves one out."""

    def make(body: Body) -> str:
        return _whole(
            {name: each for name, each in {**body, **changes}.items() if each is not None}
        )

    return make


def _renamed(old: str, new: str) -> Callable[[Body], str]:
    return lambda body: _whole({new if name == old else name: body[name] for name in body})


def _ended_at(write: Callable[[datetime], object]) -> Callable[[Body], str]:
    return lambda body: _with(ended_at=write(datetime.fromisoformat(body["ended_at"])))(body)


def _spoilt(old: str, new: str) -> Callable[[Body], str]:
    """The good body's text with something in it replaced, as no program would write it."""
    return lambda body: _whole(body).replace(old, new)


def _unknown_workflow(body: Body) -> str:
    return _with(workflow_slug=f"{body['workflow_slug'][:60]}-{new_id()[-6:]}")(body)


TESTS = {
    each.name: each
    for each in (
        TestEvent("success", "Success", "run-success", "A run that succeeded.", _whole),
        TestEvent("failure", "Failure", "run-failure", "A run that failed.", _whole),
        TestEvent(
            "missing-ended-at",
            "No ended_at",
            "run-success",
            "A required field is left out.",
            _with(ended_at=None),
            "validation_failed",
            "missing",
        ),
        TestEvent(
            "misspelt-field",
            "endedAt in place of ended_at",
            "run-success",
            "A field is spelt in another way.",
            _renamed("ended_at", "endedAt"),
            "validation_failed",
            "missing",
        ),
        TestEvent(
            "local-date",
            "A local date, 15.01.2026 09:31",
            "run-success",
            "A date as people write it, not ISO 8601.",
            _ended_at(lambda moment: f"{moment:%d.%m.%Y %H:%M}"),
            "validation_failed",
            "local_format",
        ),
        TestEvent(
            "unix-timestamp",
            "A Unix timestamp",
            "run-success",
            "Seconds since 1970 in place of a date and time.",
            _ended_at(lambda moment: int(moment.timestamp())),
            "validation_failed",
            "epoch_number",
        ),
        TestEvent(
            "wrong-type",
            "A duration in words",
            "run-success",
            "duration_ms is the text “1.2 s”, not a number.",
            _with(duration_ms="1.2 s"),
            "validation_failed",
            "not_a_number",
        ),
        TestEvent(
            "missing-error-message",
            "A failure without error_message",
            "run-failure",
            "A failure has to say what went wrong.",
            _with(error_message=None),
            "validation_failed",
            "missing",
        ),
        TestEvent(
            "empty-expression",
            "An n8n expression that came out empty",
            "run-success",
            "Nothing stands behind the colon of duration_ms, so the body is not JSON.",
            _spoilt('"duration_ms": 1240', '"duration_ms": '),
            "invalid_json",
            "json_empty_value",
        ),
        TestEvent(
            "line-break",
            "A raw line break in a text",
            "run-failure",
            "An error message of two lines was put into the body without JSON.stringify.",
            _spoilt("failed: 429", "failed:\n429"),
            "invalid_json",
            "json_line_break_in_string",
        ),
        TestEvent(
            "trailing-comma",
            "A comma too many",
            "run-success",
            "A comma stands behind the last field.",
            _spoilt("\n}", ",\n}"),
            "invalid_json",
            "json_trailing_comma",
        ),
        TestEvent(
            "unknown-workflow",
            "An unknown workflow",
            "run-success",
            "The slug is that of no workflow, as after a typing error.",
            _unknown_workflow,
            "workflow_not_found",
            "workflow_not_found",
        ),
        TestEvent(
            "unknown-key",
            "An unknown API key",
            "run-success",
            "The key looks right, and is none of this server.",
            _whole,
            "unknown_api_key",
            checks_key=True,
        ),
    )
}
"""What can be sent, by name; the good ones first."""


@blueprint.post("/workflows/<public_id:public_id>/test")
def send_test(public_id: str) -> ResponseReturnValue:
    """In place for htmx; without JavaScript, the event that it became."""
    workflow, test = find_workflow(public_id), TESTS.get(request.form.get("test", ""))
    if test is None:
        abort(404, "There is no such test event.")
    outcome = send(make_attempt(test, workflow, signed_in_user().email))
    if is_for_htmx():
        return render_template("console/_test_outcome.html", test=test, outcome=outcome)
    return redirect(url_for("event.show_event", public_id=outcome.event_id), 303)


def make_attempt(test: TestEvent, workflow: Workflow, sent_by: str) -> Attempt:
    """The request of this test for the workflow, ready to be sent."""
    headers = [("Content-Type", "application/json"), ("User-Agent", "FlowPulse test")]
    if test.checks_key:
        headers.append(("X-API-Key", make_key()))
    return Attempt(
        origin="test",
        sent_by=sent_by,
        workspace_id=workflow.workspace_id,
        kind=EVENT_KINDS[test.kind],
        body=test.make(_good_body(test.kind, workflow)).encode(),
        headers=headers,
        checks_key=test.checks_key,
    )


def _good_body(kind: str, workflow: Workflow) -> Body:
    ended_at = now()
    body: Body = {
        "workflow_slug": workflow.slug,
        "external_execution_id": f"test-{new_id()}",
        "started_at": _write(ended_at - _TOOK),
        "ended_at": _write(ended_at),
        "duration_ms": 1240,
    }
    if kind == "run-failure":
        body["error_message"] = "This is a test: the request to the CRM failed: 429"
    return body


def _write(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

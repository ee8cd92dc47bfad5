"""What schemathesis is told beyond the document, for what no schema can tell: times that fit each
other, which addresses there are, and what a batch is answered whose events are refused for what the
server knows."""

import json
import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response

from app.api.other_monitors import TAG

# An end lies not more than a day ahead, and a start not after the end: all times are one moment, in
# the forms that RFC 3339 has for it.
MOMENT = st.sampled_from(
    [
        "2026-01-15T09:31:00Z",
        "2026-01-15T09:31:00.000Z",
        "2026-01-15T09:31:00+00:00",
        "2026-01-15T10:31:00+01:00",
        "2026-01-15T03:31:00.000000-06:00",
    ]
)
schemathesis.openapi.format("date-time", MOMENT)
BATCH = "batch"
"""Its operationId."""


@schemathesis.check
def a_good_batch_has_good_events(_: CheckContext, response: Response, case: Case) -> None:
    """Stricter for a batch than `positive_data_acceptance`: of what the schema allows, no event is
    refused as invalid.

    That check has to let 400 pass: events that are refused for several reasons (one names no
    workflow, another has a key that came before) make a batch that is refused as a whole with 400.
    """
    if case.operation.definition.raw.get("operationId") != BATCH or case.meta is None:
        return
    if not case.meta.generation.mode.is_positive or response.status_code not in (207, 400):
        return
    statuses = [event["status"] for event in json.loads(response.content).get("events", ())]
    assert statuses, "A batch that its schema allows was refused as a whole"
    assert 400 not in statuses, "An event that its schema allows was refused as invalid"


@schemathesis.hook
def filter_body(context: HookContext, body: Any) -> bool:
    """A body of text has no wrong type: whatever is sent is a text."""
    content = context.operation.definition.raw.get("requestBody", {}).get("content", {})
    return isinstance(body, str) or "text/plain" not in content


WHOSE = {"address", "token", "key", "slug"}
"""Of the path's parameters, those that say whose run it is."""


@schemathesis.hook
def before_call(_: HookContext, case: Case, **__: Any) -> None:
    """Of other monitors' addresses, put one that the server knows in the place of one that was made
    up: what is said of an unknown one would be all that is ever looked at."""
    operation = case.operation.definition.raw
    if TAG not in operation["tags"]:
        return
    for each in operation["parameters"]:
        name, pattern = each["name"], each["schema"].get("pattern", "")
        told = (case.path_parameters or {}).get(name)
        if name in WHOSE and isinstance(told, str) and re.search(pattern, told):
            case.path_parameters[name] = each["example"]

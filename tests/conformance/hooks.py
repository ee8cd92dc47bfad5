"""What schemathesis is told beyond the document, for what no schema can tell: times that fit each
other, and what a batch is answered whose events are refused for what the server knows."""

import json

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, Response

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

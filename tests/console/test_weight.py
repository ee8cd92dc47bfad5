"""Every page stays light, however many rows there are and however long they are."""

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.console.refusal_counts import MAX_ROWS
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import Event, UnstoredCount, Workflow
from app.problems import PROBLEMS
from app.processing.batch import process_batch
from app.workspaces.api_keys import create_api_key
from tests.console.refusals import store_refusals
from tests.console.test_accessibility import some_of_each
from tests.factories import Team, failure, report
from tests.pages_map import PAGES, addresses

MOST_BYTES = 100_000
MOST_BYTES_OF_THE_TABLE = 109_000
LONG = "Zahlungsübersicht & Mahnwesen <Süd> "
WORKFLOWS, KEYS, REQUESTS = 120, 60, 60
MET = sorted(code for code, row in PROBLEMS.items() if row.kind not in ("delivery", "sign_in"))
WRONG = ("started_at", "ended_at", "duration_ms", "external_execution_id", "metadata")


def long_text(number: int, length: int) -> str:
    return f"{number:03} {LONG * (length // len(LONG) + 1)}"[:length]


@pytest.mark.once
def test_no_page_weighs_more_than_100_kb(owner: FlaskClient, team: Team) -> None:
    name_at_length(team)
    ask_at_length(owner, team)
    weights = {
        path: len(owner.get(path, follow_redirects=True).data)
        for path in addresses(some_of_each(team.workspace_id), PAGES)
    }
    assert {path: each for path, each in weights.items() if each > MOST_BYTES} == {}


@pytest.mark.once
def test_the_troubleshooting_page_is_light_when_every_code_has_occurred(
    owner: FlaskClient, team: Team
) -> None:
    meet_every_code(team)
    page = owner.get("/troubleshooting")
    assert page.text.count("&amp;period=24h") >= len(MET)
    assert len(page.data) < MOST_BYTES_OF_THE_TABLE


def meet_every_code(team: Team) -> None:
    """Refusals and warnings with every row of the table that an event can meet with, more often
    than is counted."""
    codes = MET
    with writing() as session:
        session.add_all(
            UnstoredCount(minute_at=now(), workspace_id=team.workspace_id, code=code, count=123_456)
            for code in codes
        )
    entries = [{"field": "ended_at", "code": code, "message": "", "fix": ""} for code in codes]
    store_refusals(team, MAX_ROWS + 1, code="validation_failed", errors=entries)
    store_refusals(
        team,
        MAX_ROWS + 1,
        state="processed",
        status=202,
        code=None,
        errors=None,
        fingerprint=None,
        warnings=entries,
    )


def name_at_length(team: Team) -> None:
    """As many workflows and keys as lists and fields can be filled with, each with a long name."""
    with writing() as session:
        session.add_all(
            Workflow(
                workspace_id=team.workspace_id,
                name=long_text(number, 120),
                slug=f"{'lead-enrichment-' * 4}{number}",
            )
            for number in range(WORKFLOWS)
        )
    for number in range(KEYS):
        create_api_key(team.workspace_id, long_text(number, 120))
    with writing() as session:
        workflow = session.get(Workflow, team.workflow_id)
        assert workflow is not None
        workflow.name = long_text(999, 120)


def ask_at_length(owner: FlaskClient, team: Team) -> None:
    """Accepted and refused requests, many of each, with everything in them as long as can be."""
    for number in range(REQUESTS):
        long = {
            "source_platform": long_text(number, 64),
            "error_message": long_text(number, 5_000),
            "error_type": long_text(number, 255),
            "correlation_id": long_text(0, 255),
            "external_execution_id": long_text(number // 30, 255),
            "metadata": {long_text(n, 60): long_text(n, 300) for n in range(100)},
            **{long_text(n, 60): "unknown" for n in range(20)},
        }
        report(owner, team, "failure", **long)
        report(owner, team, "failure", **{**long, "workflow_slug": long_text(number, 255)})
        wrong = {name: [long_text(number, 500)] for name in WRONG}
        report(owner, team, "failure", **{**long, **wrong})
    headers = {**team.headers, **{f"X-Header-{n}": long_text(n, 300).encode() for n in range(30)}}
    body = str(failure(team, error_message=long_text(0, 60_000))).encode()
    owner.post("/api/v1/ingest/run-failure", data=body, headers=headers)
    ingest_service().recorder.flush()
    while process_batch(100):
        pass
    assert db.session.query(Event).count() > 2 * REQUESTS  # Of refused ones, not each is stored.

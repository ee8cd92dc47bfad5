"""Whatever is sent, the whole road answers 202 or explains; never a 500, on both databases."""

import os
import random
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.processing.batch import process_batch
from tests.drills.marks import AMOUNTS
from tests.drills.record import Found, begin, record
from tests.drills.reliability import is_held
from tests.factories import Team, make_team
from tests.ingest.test_fuzz_validation import EVENT, MEDIA, change_bytes, change_values
from tests.storage import IN_MEMORY

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000")) // 2
"""Half of them on each database."""
IS_DRILL = AMOUNTS["fuzz_requests"]["requests"] <= EXAMPLES
EXPECTED = {202, 400, 404}


@pytest.mark.timeout(7_200)
def test_no_body_yields_a_500_and_what_was_accepted_can_be_processed(
    make_app: Callable[..., Flask], database_kind: str
) -> None:
    if IS_DRILL:
        begin("fuzz_requests", database_kind)
    app = make_app(FLOWPULSE_RATE_LIMIT=0)
    with app.app_context():
        sent = fuzz(app.test_client(), make_team())
        db.session.remove()
    if IS_DRILL:
        figures: Found = {"requests": sent, "crashes": 0, "storage": IN_MEMORY}
        record("fuzz_requests", database_kind, **figures)
        assert is_held("fuzz_requests", figures), figures


def fuzz(client: FlaskClient, team: Team) -> int:
    """How many were sent."""
    assert team.slug == EVENT["workflow_slug"]
    first = random.SystemRandom().randrange(2**62)
    sent = 0
    for seed in range(first, first + EXAMPLES):
        chance = random.Random(seed)
        answer = client.post(
            f"/api/v1/ingest/{chance.choice(['run-success', 'run-failure'])}",
            data=chance.choice([change_bytes, change_values])(seed),
            headers={**team.headers, "Content-Type": chance.choice(MEDIA) or ""},
        )
        assert answer.status_code in EXPECTED, f"seed {seed}: {answer.text}"
        sent += 1
    while process_batch(200):
        pass
    failed = client.get("/api/v1/events?status=failed", headers=team.headers).json["data"]
    waiting = client.get("/api/v1/events?status=accepted", headers=team.headers).json["data"]
    assert (failed, waiting) == ([], [])
    return sent

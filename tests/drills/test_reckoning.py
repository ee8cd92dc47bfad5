"""The reckoning sees a run that says something else than what was sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.drills.load import Sent
from tests.drills.reckoning import count_altered

SENT = {"0-1": Sent("failure", 7, datetime(2026, 1, 15, 9, 31, tzinfo=UTC), "boom")}
RUN = {
    "external_execution_id": "0-1",
    "outcome": "failure",
    "duration_ms": 7.0,
    "ended_at": "2026-01-15T09:31:00Z",
    "error_message": "boom",
}


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "success"},
        {"duration_ms": 8.0},
        {"duration_ms": None},
        {"ended_at": "2026-01-15T09:46:00Z"},
        {"ended_at": None},
        {"error_message": None},
    ],
)
def test_a_run_that_says_something_else_is_altered(change: dict[str, Any]) -> None:
    assert count_altered([RUN], SENT) == 0
    assert count_altered([RUN | change], SENT) == 1


def test_runs_of_other_senders_are_left_alone() -> None:
    other = {"outcome": "success", "duration_ms": None, "ended_at": None}
    assert count_altered([RUN | other | {"external_execution_id": None}], SENT) == 0

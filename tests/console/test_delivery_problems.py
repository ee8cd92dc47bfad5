"""Each try of a delivery that failed has its row in the troubleshooting table."""

import pytest

from app.console.delivery_problems import find_problem
from app.models import DeliveryAttempt
from app.problems import PROBLEMS

ROWS = sorted(code for code, row in PROBLEMS.items() if row.kind == "delivery")


@pytest.mark.parametrize("code", ROWS)
def test_a_failed_try_has_the_row_that_it_was_kept_with(code: str) -> None:
    assert find_problem(DeliveryAttempt(error="whatever", problem=code)) is PROBLEMS[code]


def test_a_try_that_arrived_has_none_and_one_of_an_earlier_version_the_general_one() -> None:
    assert find_problem(DeliveryAttempt(status=200, error=None)) is None
    assert find_problem(DeliveryAttempt(error="who knows")) is PROBLEMS["delivery_failed"]

"""Which row of the troubleshooting table a failed try of a delivery belongs to."""

from app.models import DeliveryAttempt
from app.problems import PROBLEMS, Problem


def find_problem(attempt: DeliveryAttempt) -> Problem | None:
    """The row; None for a try that arrived, the general one where none was kept."""
    return PROBLEMS[attempt.problem or "delivery_failed"] if attempt.error else None

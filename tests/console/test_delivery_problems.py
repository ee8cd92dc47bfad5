"""Each way in which a delivery fails has its row in the troubleshooting table."""

import pytest

from app.console.delivery_problems import find_problem
from app.models import DeliveryAttempt
from app.problems import PROBLEMS

TRIES = [
    (None, "10.0.0.1 leads to 10.0.0.1, which is not on the public internet.", "address_refused"),
    (None, "The saved address is no http:// or https:// address.", "address_refused"),
    (None, "The name x.example can't be resolved: unknown.", "no_answer"),
    (None, "The name x.example has no address.", "no_answer"),
    (None, "No connection to x.example, port 443: timed out.", "no_answer"),
    (None, "x.example gave no answer that can be read: it took longer than 20 s.", "no_answer"),
    (None, "The service did not answer in time.", "no_answer"),
    (
        None,
        "x.example gave no answer that can be read: certificate verify failed: expired.",
        "certificate",
    ),
    (302, "x.example answered 302, a redirect, and redirects are not followed.", "rejected"),
    (410, "x.example answered 410.", "rejected"),
    (503, "x.example answered 503.", "server_error"),
    (None, "No SMTP server is set: FLOWPULSE_SMTP_HOST is empty.", "mail_failed"),
    (None, "mail.example, port 587: 535 wrong password.", "mail_failed"),
    (None, "Refused for a@example.org: 550 unknown", "mail_failed"),
    (None, "Apprise could not deliver it.", "failed"),
]


@pytest.mark.parametrize(("status", "error", "row"), TRIES)
def test_a_failed_try_has_its_row(status: int | None, error: str, row: str) -> None:
    problem = find_problem(DeliveryAttempt(status=status, error=error))
    assert problem is PROBLEMS[f"delivery_{row}"]


def test_a_try_that_arrived_has_none() -> None:
    assert find_problem(DeliveryAttempt(status=200, error=None)) is None


def test_every_row_is_reached_by_a_try_or_by_the_channel() -> None:
    rows = {code for code, row in PROBLEMS.items() if row.kind == "delivery"}
    assert rows == {f"delivery_{row}" for _, _, row in TRIES} | {"delivery_channel_off"}

"""One message about many alerts: what it tells."""

from datetime import datetime
from typing import Any

import pytest

from app.alerting.course import Said, Saying
from app.alerting.words import compose
from app.channels.message import Message
from app.models import Alert
from tests.alerting.stories import START, at, make_rule

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("app")]

NAMES = {number: f"Flow {number:02}" for number in range(1, 41)}


def said(saying: Saying, number: int, **columns: Any) -> Said:
    ended_at: datetime | None = at(9) if saying in ("recovered", "passed") else None
    given: dict[str, Any] = {
        "id": number,
        "public_id": f"alert{number:019}",
        "kind": "failed",
        "workflow_id": number,
        "what": f"{NAMES[number]} failed",
        "detail": {"in_a_row": 1, "error": "no credit", "error_type": "Billing"},
        "began_at": START,
        "ended_at": ended_at,
        "count": 3,
        **columns,
    }
    return Said(Alert(**given), saying, 1, START)


def write(*sayings: Saying, **columns: Any) -> Message:
    message = [said(saying, number, **columns) for number, saying in enumerate(sayings, 1)]
    return compose(make_rule(name="MULTI"), message, NAMES, {}, at(10))


@pytest.mark.parametrize(
    ("sayings", "title", "kind"),
    [
        (["opened"] * 8, "8 more alerts", "digest"),
        (["recovered"] * 8, "8 are over", "recovery"),
        (["recovered", "passed"], "2 are over", "recovery"),
        (["reminder"] * 8, "8 reminders", "digest"),
        (["digest"] * 2, "2 go on", "digest"),
        (["opened"] * 5 + ["recovered"] * 3, "5 more alerts, 3 are over", "digest"),
        (["passed", "reminder", "opened"], "1 more alert, 1 reminder, 1 is over", "digest"),
    ],
)
def test_the_title_says_what_the_message_is_about(
    sayings: list[Saying], title: str, kind: str
) -> None:
    message = write(*sayings)
    assert (message.title, message.kind) == (f"MULTI: {title}", kind)

"""One message about many alerts: what it tells, and of each the error, since when, and a link."""

from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from app.alerting.course import Said, Saying
from app.alerting.words import MOST_ERROR, MOST_HEADLINE, MOST_LINES, compose
from app.channels.message import Message
from app.channels.wording import cut_lines
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


def test_each_alert_has_its_error_since_when_how_many_and_its_link(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "FLOWPULSE_PUBLIC_URL", "https://flowpulse.example.org")
    first, second = write("opened", "recovered").text.split("\n\n")
    assert first.split("\n") == [
        "Flow 01 failed: Billing: no credit",
        "Since 2 Nov 2026, 09:00 UTC, 3 failures so far.",
        "https://flowpulse.example.org/alerts/alert0000000000000000001",
    ]
    assert second.split("\n") == [
        "Flow 02 works again",
        "It lasted from 2 Nov 2026, 09:00 UTC to 2 Nov 2026, 09:09 UTC, with 3 failures.",
        "https://flowpulse.example.org/alerts/alert0000000000000000002",
    ]


def test_a_long_error_is_one_short_line_and_the_whole_has_an_end() -> None:
    detail = {"in_a_row": 1, "error": "gone\nwrong " * 1_000, "error_type": None}
    text = write(*["opened"] * 30, detail=detail, what="x" * 400).text
    lines = text.split("\n\n")
    assert len(lines) == MOST_LINES + 1 and lines[-1] == "and 10 more"
    error = ("gone wrong " * 10)[: MOST_ERROR - 1] + "…"
    assert lines[0].split("\n")[0] == "x" * (MOST_HEADLINE - 1) + "…: " + error


def test_of_many_alerts_that_of_refused_requests_says_why_in_short() -> None:
    reasons = [
        {"count": 1_200, "text": "ended_at is missing (validation_failed), key n8n", "event": "e"},
        {"count": 4, "text": "Workflow not found (workflow_not_found)", "event": ""},
    ]
    detail, what = {"reasons": reasons}, "1,204 requests were refused within 15 minutes"
    text = write("opened", "recovered", kind="refused", what=what, detail=detail).text
    first, second = (part.split("\n")[0] for part in text.split("\n\n"))
    why = "1,200 × ended_at is missing (validation_failed), key n8n; 4 × Workflow not found ("
    assert first == f"{what}: {(why + 'workflow_not_found)')[: MOST_ERROR - 1]}…"
    assert second == "Requests are accepted again"


@pytest.mark.parametrize(
    ("limit", "left"),
    [
        (18, "one two\nthree\nfour"),
        (17, "one two\nthree\n…"),
        (15, "one two\nthree\n…"),
        (14, "one two\n…"),
        (3, "on…"),
    ],
)
def test_a_text_is_cut_between_its_lines(limit: int, left: str) -> None:
    assert cut_lines("one two\nthree\nfour", limit) == left
    assert cut_lines("a\n" + "b" * 40, 20) == "a\n" + "b" * 17 + "…"


def test_how_long_a_slow_run_took_is_told_as_on_its_alert_s_page() -> None:
    detail = {"run": "run-1", "duration_ms": 9_000_000.0, "limit_ms": 120_000.0}
    facts = dict(write("opened", kind="slow", detail=detail).facts)
    assert (facts["Took"], facts["Limit"]) == ("2 h 30 min", "2 min")

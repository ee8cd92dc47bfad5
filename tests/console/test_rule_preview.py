"""What the preview of a rule says where it has not gone through all of the period."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from app.alerting import past_failures, past_runs
from app.clock import now
from app.extensions import writing
from app.models import Run
from tests.console.pages import open_page
from tests.factories import Team, run_row

NEW = "/alerts/rules/new"
PREVIEW = "/alerts/rules/preview"


@pytest.fixture(autouse=True)
def _bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_runs, "MOST", 4)
    monkeypatch.setattr(past_failures, "MOST", 4)


def store(team: Team, hours_ago: list[float], **columns: Any) -> None:
    rows = [run_row(team, now() - timedelta(hours=hours), **columns) for hours in hours_ago]
    with writing() as session:
        session.execute(insert(Run), rows)


def preview(owner: FlaskClient, kind: str, **values: str) -> str:
    fields = open_page(owner, f"{NEW}?kind={kind}").form(NEW).fields
    given = {"scope": "all", **fields, **values}
    answer = owner.post(PREVIEW, data=given, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.replace("<strong>", "").replace("</strong>", "").split())


def test_nothing_found_in_a_part_of_the_period_is_not_that_it_would_have_kept_quiet(
    owner: FlaskClient, team: Team
) -> None:
    store(team, [1, 2, 3, 49, 100, 200], duration_ms=1_000.0)
    said = preview(owner, "slow", seconds="60", factor="")
    assert "Nothing in the last 2 d: only the newest 4 runs were gone through" in said
    assert "kept quiet" not in said and "From" not in said


def test_alerts_of_a_part_of_the_period_are_told_with_what_was_gone_through(
    owner: FlaskClient, team: Team
) -> None:
    store(team, [1, 2, 3, 49, 100, 200], duration_ms=90_000.0)
    slow = {"seconds": "60", "factor": "", "cool_down_minutes": "0"}
    said = preview(owner, "slow", **slow)
    assert "about 1 alert in the last 2 d: only the newest 4 runs were gone through" in said
    quiet = {"quiet_from": "00:00", "quiet_until": "23:59", "quiet_zone": "UTC"}
    store(team, [0.5], duration_ms=1_000.0)
    assert "in the last 3 h: only" in preview(owner, "slow", **slow)
    assert "4 runs were gone through" in preview(owner, "slow", **slow, **quiet)


def test_failures_are_all_gone_through_however_many_runs_there_were(
    owner: FlaskClient, team: Team
) -> None:
    store(team, [hours / 2 for hours in range(1, 60)])
    said = preview(owner, "failed", in_a_row="2")
    assert "Nothing: it would have kept quiet" in said
    assert "From 0 failures in 30 days, however many runs there were." in said
    store(team, [100, 101], outcome="failure")
    said = preview(owner, "failed", in_a_row="2")
    assert "1 message about 1 alert" in said or "2 messages about 1 alert" in said
    assert "gone through" not in said
    store(team, [200, 201, 202], outcome="failure")
    said = preview(owner, "failed", in_a_row="2")
    assert "in the last 8 d: only the newest 3 failures were gone through" in said


def test_refused_requests_silences_and_stuck_runs_have_names_of_their_own(
    owner: FlaskClient, team: Team
) -> None:
    begins = now() - timedelta(days=6)
    for hours in range(1, 7):
        moment = now() - timedelta(hours=hours * 10)
        store(
            team,
            [0],
            outcome="running",
            started_at=begins,
            ended_at=None,
            stuck_since=moment,
            external_execution_id=f"execution-{hours}",
        )
    said = preview(owner, "stuck", runs="100")
    assert "Nothing in the last 1 d: only the newest 4 stuck runs were gone through" in said

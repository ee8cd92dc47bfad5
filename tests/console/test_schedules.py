"""The schedule's page, what is suggested, and how silent and stuck workflows are shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.clock import now
from app.console.schedule_suggestion import suggest
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import ApiKey, Event, Run, Schedule, Silence, User, Workflow
from app.processing.batch import process_batch
from app.processing.schedules import judge_schedules
from app.processing.stuck_runs import mark_stuck_runs
from app.workspaces.api_keys import revoke_api_key
from app.workspaces.schedules import Wish, set_schedule
from app.workspaces.workflows import rename_workflow
from tests.console.pages import open_page, send_form
from tests.console.test_overview import store_runs
from tests.factories import Team, report, success
from tests.simulated_time import simulated_time

HOURLY = Wish("interval", 3_600, None, "UTC", 300)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
CRON = {"kind": "cron", "expression": "30 2 * * *", "time_zone": "Europe/Berlin"}
GRACE = {"grace": "20", "grace_unit": "minute"}


def page_of(team: Team) -> str:
    return f"/workflows/{team.workflow_public_id}"


def schedule_page(team: Team) -> str:
    return f"{page_of(team)}/schedule"


def workflow(team: Team) -> Workflow:
    return db.session.get_one(Workflow, team.workflow_id)


def make_silent(team: Team, hours: int = 3) -> None:
    """Watched hourly, and nothing has come for some hours."""
    ingest_service().recorder.flush()
    process_batch(200)
    set_schedule(workflow(team), HOURLY)
    since = now() - timedelta(hours=hours)
    with writing() as session:
        session.execute(update(Schedule).values(next_expected_at=since, overdue_at=since))
    assert judge_schedules() == 1


def test_a_schedule_is_set_changed_and_removed(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, schedule_page(team))
    assert "Not watched yet" in page.text
    saved = send_form(owner, schedule_page(team), **CRON, **GRACE)
    assert saved.status_code == 303
    assert len(owner.get(schedule_page(team)).data) < 100 * 1024
    page = open_page(owner, schedule_page(team))
    assert "At 02:30 every day" in page.text and "20 minutes of grace" in page.text
    schedule = db.session.scalars(select(Schedule)).one()
    assert (schedule.kind, schedule.cron_expression) == ("cron", "30 2 * * *")
    assert schedule.overdue_at - schedule.next_expected_at == 20 * MINUTE
    form = page.form(schedule_page(team)).fields
    assert (form["kind"], form["expression"]) == (["cron"], "30 2 * * *")
    send_form(owner, schedule_page(team), f"{schedule_page(team)}/remove")
    assert db.session.scalar(select(Schedule)) is None
    assert "Set a schedule" in open_page(owner, page_of(team)).text


def test_a_wrong_form_names_all_that_is_wrong_and_keeps_what_was_typed(
    owner: FlaskClient, team: Team
) -> None:
    wrong = {"kind": "cron", "expression": "61 * * * *", "time_zone": "Mars/Olympus", "grace": "x"}
    answer = send_form(owner, schedule_page(team), **wrong)
    assert answer.status_code == 422
    for says in ("goes from 0 to 59", "time zone from the list", "a whole number", "61 * * * *"):
        assert says in answer.text
    for every, says in (("0", "1 minute to 366 days"), ("9999999", "1 minute to"), ("²", "whole")):
        form = {"kind": "interval", "every": every, "every_unit": "day", "time_zone": "UTC"}
        answer = send_form(owner, schedule_page(team), **form, **GRACE)
        assert answer.status_code == 422 and says in answer.text
    assert send_form(owner, schedule_page(team), kind="moon").status_code == 422


def test_the_next_five_are_shown_while_typing(owner: FlaskClient, team: Team) -> None:
    form = open_page(owner, schedule_page(team)).form(schedule_page(team)).fields
    with simulated_time(datetime(2026, 3, 27, 12, tzinfo=UTC)):
        shown = owner.post(f"{schedule_page(team)}/preview", data={**form, **CRON, **GRACE}).text
    assert "At 02:30 every day" in shown
    for wall, universal in (
        ("Sat 28 Mar, 02:30 CET", "2026-03-28T01:30:00.000Z"),
        ("Sun 29 Mar, 03:00 CEST", "2026-03-29T01:00:00.000Z"),
        ("Wed 1 Apr, 02:30 CEST", "2026-04-01T00:30:00.000Z"),
    ):
        assert wall in shown and universal in shown
    assert 'by <span class="num">Sat 28 Mar, 02:50 CET' in shown
    form |= {**CRON, "expression": "<b>0 3", **GRACE}
    wrong = owner.post(f"{schedule_page(team)}/preview", data=form).text
    assert "A cron expression has five fields" in wrong and "<b>" not in wrong


def test_a_viewer_looks_and_changes_nothing(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    set_schedule(workflow(team), HOURLY)
    viewer = colleague("viewer")
    page = open_page(viewer, schedule_page(team))
    assert "Every hour" in page.text
    assert not [form for form in page.forms if form.action.startswith("/workflows")]
    token = page.forms[0].fields["csrf_token"]
    for path in ("", "/remove", "/preview"):
        answer = viewer.post(f"{schedule_page(team)}{path}", data={"csrf_token": token})
        assert answer.status_code == 403


def test_the_overview_says_whether_the_next_run_is_to_come_or_due(
    owner: FlaskClient, team: Team
) -> None:
    store_runs(team, "+")
    set_schedule(workflow(team), HOURLY)
    for minutes, told in ((30.4, "next in 30 min"), (-2.4, "due 2 min ago")):
        with writing() as session:
            at = now() + minutes * MINUTE
            session.execute(update(Schedule).values(next_expected_at=at, overdue_at=at + HOUR))
        assert told in open_page(owner, "/").text


def test_another_workspace_sees_no_schedule(owner: FlaskClient, team: Team) -> None:
    assert owner.get(f"/workflows/{'a' * 24}/schedule").status_code == 404


# --- Suggestion ---------------------------------------------------------------------------------


def ends(gaps: list[float]) -> list[datetime]:
    found = [NOON]
    for gap in reversed(gaps):
        found.insert(0, found[0] - timedelta(minutes=gap))
    return found


@pytest.mark.parametrize(
    ("gaps", "every", "grace"),
    [
        ([15.0] * 12, 900, 300),
        ([15.2, 14.9, 15.0] * 5, 900, 300),
        ([60.0] * 11 + [69.0], 3_600, 900),
        ([1_440.0] * 14, 86_400, 21_600),
        ([15.0] * 30 + [300.0], 900, 300),
    ],
)
def test_a_regular_history_suggests_a_schedule(gaps: list[float], every: int, grace: int) -> None:
    wish = suggest(ends(gaps), NOON + MINUTE, "UTC")
    assert wish == Wish("interval", every, None, "UTC", grace)


@pytest.mark.parametrize("gaps", [[15.0] * 10, [15.0, 40.0] * 8, [17.3] * 20, [0.0] * 20])
def test_an_irregular_or_short_history_suggests_nothing(gaps: list[float]) -> None:
    assert suggest(ends(gaps), NOON, "UTC") is None


def test_what_has_stopped_is_not_suggested() -> None:
    assert suggest(ends([15.0] * 20), NOON + HOUR, "UTC") is None


def test_one_click_takes_the_suggestion(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    store_runs(team, "+" * 20)
    page = open_page(owner, page_of(team))
    assert "It runs about every 15 minutes: watch it?" in page.text
    assert "watch it?" not in open_page(colleague("viewer"), page_of(team)).text
    assert send_form(owner, page_of(team), schedule_page(team)).status_code == 303
    schedule = db.session.scalars(select(Schedule)).one()
    assert (schedule.kind, schedule.every_seconds) == ("interval", 900)
    assert abs(schedule.next_expected_at - now() - 14 * MINUTE) < MINUTE
    assert "watch it?" not in open_page(owner, page_of(team)).text


# --- Silent -------------------------------------------------------------------------------------


def test_a_silent_workflow_is_told_on_every_page_and_by_the_api(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    make_silent(team)
    page = open_page(owner, page_of(team))
    assert "Went silent" in page.text and "No refused request names this workflow" in page.text
    assert "a run was due 3 h ago, 3 are missing" in open_page(owner, "/").text
    assert "Silent" in open_page(owner, "/workflows").text
    told = owner.get(f"/api/v1/workflows/{team.slug}", headers=team.headers).json
    assert told["schedule"]["every_seconds"] == 3_600 and told["silent_since"]
    silence = db.session.scalars(select(Silence)).one()
    assert told["silent_since"] == silence.silent_since.isoformat()
    (row,) = owner.get("/api/v1/workflows", headers=team.headers).json["data"]
    assert row["schedule"]["next_expected_at"] == told["schedule"]["next_expected_at"]


def test_a_revoked_key_explains_the_silence_and_leads_to_the_request(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    process_batch(200)
    person = db.session.scalars(select(User)).one()
    revoke_api_key(db.session.get_one(ApiKey, team.api_key_id), person)
    assert report(owner, team).status_code == 401
    refused = report(owner, team).json
    make_silent(team)
    page = open_page(owner, page_of(team))
    today = now()
    which = "A request with key n8n-prod, which also reports this workflow, was refused"
    assert f"{which}: 401, revoked on {today.day} {today:%b %Y}, " in page.text
    assert f" UTC by {team.email}." in page.text
    assert "2 requests since the last good one" in page.text
    assert f"/events/{refused['event_id']}" in page.links
    overview = open_page(owner, "/")
    assert "401, revoked on" in overview.text
    assert f"/events/{refused['event_id']}" in overview.links


def test_a_mistyped_key_of_the_same_sender_is_told_as_a_possible_cause_without_a_link(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    process_batch(200)
    headers = {"X-API-Key": team.key[:-1] + ("a" if team.key[-1] != "a" else "b")}
    body = success(team)
    assert owner.post("/api/v1/ingest/run-success", json=body, headers=headers).status_code == 401
    make_silent(team)
    page = open_page(owner, page_of(team))
    assert "which may be this workflow's as it came from the same sender, was" in page.text
    assert "See the request" not in page.text
    assert "which may be this workflow's" in open_page(owner, "/").text


@pytest.mark.parametrize("reference", ["workflow_id", "workflow_slug", "old slug"])
def test_a_refused_request_that_names_the_workflow_explains_it(
    owner: FlaskClient, team: Team, reference: str
) -> None:
    report(owner, team)
    names = {"workflow_id": team.workflow_public_id, "workflow_slug": team.slug}
    if reference == "old slug":
        rename_workflow(workflow(team), "Other", "other")
        reference = "workflow_slug"
    body = {reference: names[reference], "ended_at": "15.01.2026 09:31"}
    owner.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    make_silent(team)
    said = "The last request was refused: 400,"
    assert said in open_page(owner, page_of(team)).text


def test_what_was_refused_before_the_last_good_one_or_for_others_explains_nothing(
    owner: FlaskClient, team: Team
) -> None:
    wrong = success(team, ended_at="yesterday")
    owner.post("/api/v1/ingest/run-success", json=wrong, headers=team.headers)
    report(owner, team)
    other = {**wrong, "workflow_slug": "another-one"}
    owner.post("/api/v1/ingest/run-success", json=other, headers=team.headers)
    make_silent(team)
    assert "No refused request names this workflow" in open_page(owner, page_of(team)).text


def test_a_miss_during_our_own_downtime_is_no_silence_of_the_workflow(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    make_silent(team)
    with writing() as session:
        session.execute(update(Silence).values(during_downtime=True))
    assert "while FlowPulse was down" in open_page(owner, page_of(team)).text
    assert "a run was due" not in open_page(owner, "/").text
    told = owner.get(f"/api/v1/workflows/{team.slug}", headers=team.headers).json
    assert told["silent_since"] is None


def test_within_its_grace_a_run_that_has_not_come_is_late(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    process_batch(200)
    set_schedule(workflow(team), HOURLY)
    assert "On time" in open_page(owner, page_of(team)).text
    due = now() - timedelta(minutes=4, seconds=30)
    with writing() as session:
        session.execute(update(Schedule).values(next_expected_at=due, overdue_at=due + 5 * MINUTE))
    page = open_page(owner, page_of(team)).text
    assert "Late silent in" in page and "Was due 4 min ago" in page and "On time" not in page


# --- Open and stuck runs ------------------------------------------------------------------------


def start(client: FlaskClient, team: Team, execution: str, at: datetime) -> Any:
    body = {"workflow_slug": team.slug, "external_execution_id": execution}
    body["started_at"] = at.isoformat()
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    process_batch(200)
    return answer


def test_open_and_stuck_runs_are_shown_and_not_counted(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    start(owner, team, "e-1", now())
    start(owner, team, "e-2", now() - 2 * HOUR)
    page = open_page(owner, page_of(team))
    assert "Running now" in page.text and "e-1" in page.text
    form = {"limit": "1", "limit_unit": "hour"}
    limit = f"{page_of(team)}/stuck-after"
    assert send_form(owner, schedule_page(team), limit, **form).status_code == 303
    assert mark_stuck_runs() == 1
    assert "Stuck" in open_page(owner, page_of(team)).text
    overview = open_page(owner, "/")
    assert "A run has started and not ended for more than" in overview.text
    assert "1 of 1 succeeded" in owner.get("/").text
    runs = owner.get("/api/v1/runs?outcome=running", headers=team.headers).json["data"]
    assert [run["external_execution_id"] for run in runs] == ["e-2", "e-1"]
    assert runs[0]["stuck_since"] and runs[0]["ended_at"] is None
    event = db.session.scalars(select(Run)).first()
    assert event is not None
    answer = send_form(owner, schedule_page(team), limit, limit="0", limit_unit="hour")
    assert answer.status_code == 422 and "1 minute to 366 days" in answer.text
    assert send_form(owner, schedule_page(team), limit, limit="").status_code == 303
    assert workflow(team).stuck_after_seconds is None


@pytest.mark.parametrize("rest", ["", "/start", "/fail", "/256", "/x?rid=1"])
def test_the_pages_of_pings_open(owner: FlaskClient, team: Team, rest: str) -> None:
    """Also of those that are refused, which nobody can send again as JSON."""
    for slug in (team.slug, "lead-enrichmnt"):
        owner.post(f"/api/v1/ping/{slug}{rest}", data=b"{<b>disk full", headers=team.headers)
    ingest_service().recorder.flush()
    process_batch(200)
    for event in db.session.scalars(select(Event)).all():
        for page in ("", "/resend"):
            assert owner.get(f"/events/{event.public_id}{page}").status_code in (200, 404)


def test_the_event_of_a_start_tells_of_its_open_run(owner: FlaskClient, team: Team) -> None:
    sent = start(owner, team, "e-1", now())
    page = open_page(owner, f"/events/{sent.json['event_id']}")
    assert "A run started" in page.text and "nobody has told its end" in page.text

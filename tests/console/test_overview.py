"""The overview: the connect wizard at first, then what needs attention and how the workflows do."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app.clock import now
from app.console import overview, workflow_health
from app.console.last_runs import STRIP_LENGTH, LastRuns
from app.console.overview import PAGE_SIZE
from app.console.snippets import TOOLS
from app.console.worker_trouble import find_worker_trouble
from app.console.workflow_health import (
    WorkflowHealth,
    find_pace,
    list_health,
    span,
)
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Event, Run, WorkerHeartbeat, Workflow
from app.processing.batch import process_batch
from app.processing.downtimes import STALLED_AFTER
from app.processing.worker import Worker
from app.workspaces.people import create_user
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.console.pages import Page, open_page, send_form, sign_in
from tests.console.refusals import refuse, store_refusals
from tests.factories import PASSWORD, Team, make_team, make_workspace, report, success

MINUTE = timedelta(minutes=1)
MAX_HTML = 100 * 1024
HOSTILE = "<img src=x onerror=alert(1)>"


def store_runs(
    team: Team,
    outcomes: str,
    last: timedelta = MINUTE,
    apart: timedelta = 15 * MINUTE,
    workflow_id: int | None = None,
    **columns: Any,
) -> None:
    """Runs straight into the table: "+" for a success, "-" for a failure, the newest last."""
    newest = now() - last
    rows = [
        {
            "public_id": new_id(),
            "workspace_id": team.workspace_id,
            "workflow_id": workflow_id or team.workflow_id,
            "outcome": "success" if sign == "+" else "failure",
            "ended_at": newest - apart * (len(outcomes) - 1 - number),
            "duration_ms": 1000.0 * (number + 1),
            "error_message": None if sign == "+" else "429 from the CRM",
            "decided_by_event_id": 1,
            "event_count": 1,
            "is_test": False,
            "created_at": newest,
            "updated_at": newest,
            **columns,
        }
        for number, sign in enumerate(outcomes)
    ]
    with writing() as session:
        session.execute(insert(Run), rows)


def health_of(team: Team) -> WorkflowHealth:
    return list_health(team.workspace_id).health[0]


def attention(page: Page) -> list[str]:
    """The keys of the lines that need attention."""
    ids = [values.get("id") or "" for tag, values in page.tags if tag == "li"]
    return [each.removeprefix("attention-") for each in ids if each.startswith("attention-")]


# --- A new workspace ------------------------------------------------------------------------------


def test_a_new_workspace_sees_the_connect_wizard_until_its_first_event(
    app: Flask, team: Team, client: FlaskClient
) -> None:
    create_user("new@example.org", PASSWORD, "owner", make_workspace())
    sign_in(client, "new@example.org")
    page = open_page(client, "/")
    assert "Where does it run?" in page.text
    assert {f"/connect?tool={name}" for name in TOOLS} <= set(page.links)
    send_form(client, "/workflows", name="First")
    assert "Where does it run?" in open_page(client, "/").text
    created = send_form(client, "/keys", name="Key")
    key = created.text.split('id="new-key">')[1][:39]
    body = {**success(team), "workflow_slug": "first"}
    client.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": key})
    page = open_page(client, "/")
    assert "Where does it run?" not in page.text
    assert "Workflows" in page.text


def test_a_first_try_that_was_refused_is_told_above_the_wizard(
    owner: FlaskClient, team: Team
) -> None:
    refuse(owner, team)
    page = open_page(owner, "/")
    assert "Watch your first run" in page.text
    assert "1 × Workflow not found" in page.text


# --- What needs attention -------------------------------------------------------------------------


def test_when_nothing_needs_attention_one_calm_line_says_so(owner: FlaskClient, team: Team) -> None:
    Worker().beat()
    store_runs(team, "++++++", last=2 * MINUTE)
    page = open_page(owner, "/")
    assert attention(page) == []
    assert "All quiet: 1 workflow, last run 2 min ago" in page.text


def test_a_failing_workflow_is_told_with_its_error(owner: FlaskClient, team: Team) -> None:
    Worker().beat()
    store_runs(team, "+++--")
    page = open_page(owner, "/")
    assert attention(page) == [f"failing-{team.workflow_public_id}"]
    assert "The last 2 runs failed: 429 from the CRM" in page.text
    assert f"/workflows/{team.workflow_public_id}" in page.links


def test_problems_of_the_last_day_are_told_with_their_sender(
    owner: FlaskClient, team: Team
) -> None:
    Worker().beat()
    store_runs(team, "+")
    store_refusals(team, 3, "b" * 16, at=now() - timedelta(hours=30))
    store_refusals(team, 14, at=now() - 2 * MINUTE, platform="n8n", reference="lead-enrichmnt")
    page = open_page(owner, "/")
    assert attention(page) == ["problem-" + "a" * 16]
    said = "14 × ended_at is missing from n8n, key n8n-prod, for lead-enrichmnt 2 min ago"
    assert said in page.text
    assert "/problems/" + "a" * 16 in page.links
    send_form(owner, "/problems", "/problems/" + "a" * 16 + "/ignore")
    assert attention(open_page(owner, "/")) == []


def test_a_silent_workflow_is_told_in_words(owner: FlaskClient, team: Team) -> None:
    Worker().beat()
    store_runs(team, "+" * 20, last=timedelta(hours=3, minutes=2))
    page = open_page(owner, "/")
    assert attention(page) == [f"silent-{team.workflow_public_id}"]
    assert "Silent: usually every 15 min, nothing for 3 h" in page.text


def test_dead_letters_are_told_and_put_back_together(
    owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    Worker().beat()
    for _ in range(3):
        report(owner, team)
    other = make_team("Other", first=False)
    report(owner, other)
    with writing() as session:
        session.execute(update(Event).values(state="failed", failure="boom", next_attempt_at=None))
    page = open_page(owner, "/")
    assert attention(page) == ["dead-letters"]
    assert "3 events could not become a run" in page.text
    assert "/events?state=failed" in page.links
    assert [form.action for form in open_page(colleague("viewer"), "/").forms if form.action] == [
        "/sign-out"
    ]
    assert send_form(owner, "/", "/retry-failed").status_code == 303
    assert "Back in the queue: 3 events." in open_page(owner, "/").text
    states = db.session.execute(select(Event.workspace_id, Event.state)).all()
    assert (
        sorted(state for workspace, state in states if workspace == team.workspace_id)
        == ["accepted"] * 3
    )
    assert [state for workspace, state in states if workspace == other.workspace_id] == ["failed"]


def test_a_worker_that_stands_still_is_told(owner: FlaskClient, team: Team) -> None:
    assert "The worker stands still" in open_page(owner, "/events").text
    store_runs(team, "+")
    assert attention(open_page(owner, "/")) == ["worker"]
    Worker().beat()
    assert find_worker_trouble() is None
    report(owner, team)
    assert find_worker_trouble() is None


def test_what_waits_is_told_whether_the_worker_is_gone_or_behind(
    owner: FlaskClient, team: Team
) -> None:
    store_runs(team, "+")
    report(owner, team)
    Worker().beat()
    with writing() as session:
        session.execute(update(Event).values(next_attempt_at=now() - timedelta(minutes=61)))
    for page in (open_page(owner, "/"), open_page(owner, "/events")):
        assert "The worker is behind" in page.text
        assert "The first of them has waited for 1 h." in page.text
    with writing() as session:
        session.execute(
            update(WorkerHeartbeat).values(seen_at=now() - STALLED_AFTER - timedelta(seconds=1))
        )
    for page in (open_page(owner, "/"), open_page(owner, "/events")):
        assert "The worker stands still" in page.text
        assert "The first of them has waited for 1 h." in page.text


def test_many_things_of_a_kind_become_a_number(owner: FlaskClient, team: Team) -> None:
    Worker().beat()
    for number in range(8):
        workflow = create_workflow(team.workspace_id, f"Flow {number}")
        store_runs(team, "-", workflow_id=workflow.id)
        store_refusals(team, 1, f"{number:016x}")
    page = open_page(owner, "/")
    assert len(attention(page)) == 12
    assert "3 more failing workflows" in page.text and "3 more problems" in page.text
    assert len(attention(open_page(owner, "/overview"))) == 12


# --- The workflows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "last", "state"),
    [
        ("", MINUTE, "never"),
        ("+", timedelta(days=9), "ok"),
        ("-+", MINUTE, "ok"),
        ("+-", MINUTE, "failing"),
        ("++++", timedelta(days=9), "ok"),
        ("+++++", 59 * MINUTE, "ok"),
        ("+++++", 61 * MINUTE, "silent"),
        ("++++-", 61 * MINUTE, "failing"),
    ],
)
def test_the_state_of_a_workflow(
    app: Flask, team: Team, outcomes: str, last: timedelta, state: str
) -> None:
    if outcomes:
        store_runs(team, outcomes, last)
    assert health_of(team).state == state


def shown_states(client: FlaskClient, path: str) -> dict[str, str]:
    """The state that a page shows of each workflow, by its id."""
    rows = re.findall(r"<tr.*?</tr>", client.get(path).text, re.DOTALL)
    found = (
        re.search(r'/workflows/([^"]+)".*?class="state"[^>]*>([^<]+)<', row, re.DOTALL)
        for row in rows
    )
    return {match[1]: match[2] for match in found if match}


def test_every_page_tells_the_same_state(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    told = {team.workflow_public_id: "OK"}
    for outcomes, last, label in (
        ("", MINUTE, "Never reported"),
        ("+++++", 59 * MINUTE, "OK"),
        ("+++++", timedelta(hours=6), "Silent"),
        ("++++-", timedelta(hours=6), "Failing"),
        ("+-", MINUTE, "Failing"),
        ("+", MINUTE, "Stuck"),
    ):
        workflow = create_workflow(team.workspace_id, f"{label} {outcomes}")
        if outcomes:
            store_runs(team, outcomes, last, workflow_id=workflow.id)
        if label == "Stuck":
            body = {"workflow_id": workflow.public_id, "external_execution_id": "1"}
            started = {"started_at": (now() - timedelta(hours=1)).isoformat()}
            start = "/api/v1/ingest/run-start"
            owner.post(start, json=body | started, headers=team.headers)
        told[workflow.public_id] = label
    while process_batch(20):
        pass
    with writing() as session:
        session.execute(update(Run).where(Run.outcome == "running").values(stuck_since=now()))
    assert shown_states(owner, "/") == shown_states(owner, "/workflows") == told


def test_a_run_in_the_future_hides_no_later_failure(owner: FlaskClient, team: Team) -> None:
    for hours in (10, 5):
        ahead = (now() + timedelta(hours=hours)).isoformat()
        report(owner, team, ended_at=ahead)
        report(owner, team, "failure", ended_at=(now() - MINUTE).isoformat())
    process_batch(10)
    health = health_of(team)
    assert [run.outcome for run in health.runs] == ["success", "failure"] * 2
    assert (health.state, health.failures_in_a_row) == ("failing", 1)
    page = open_page(owner, "/")
    assert "The last run failed: boom" in page.text and "in 9 h" not in page.text
    report(owner, team, ended_at=(now() + timedelta(hours=1)).isoformat())
    process_batch(10)
    assert health_of(team).state == "ok"


def test_many_runs_in_the_future_hide_no_later_failure(app: Flask, team: Team) -> None:
    store_runs(team, "-", decided_by_event_id=99)
    store_runs(team, "+" * 90, last=timedelta(hours=-20), apart=MINUTE, updated_at=now())
    assert health_of(team).state == "failing"
    assert len(health_of(team).runs) == STRIP_LENGTH


def test_of_too_many_quiet_workflows_those_that_ran_last_are_left_out_and_counted(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_health, "MAX_PACES", 2)
    Worker().beat()
    kinds = {"A": "+++++", "B": "-", "C": "+++++", "X": "+++++", "Y": "+++++", "Z": "+-"}
    ago = {"A": 2, "B": 60, "C": 5, "X": 9, "Y": 1.5, "Z": 0.1}
    for name, outcomes in kinds.items():
        workflow = create_workflow(team.workspace_id, name)
        last = timedelta(hours=ago[name])
        store_runs(team, outcomes, last, apart=MINUTE, workflow_id=workflow.id)
    health, left_out = list_health(team.workspace_id)
    assert [(each.workflow.name, each.state) for each in health] == [
        ("B", "failing"),
        ("Z", "failing"),
        ("C", "silent"),
        ("X", "silent"),
        (db.session.get_one(Workflow, team.workflow_id).name, "never"),
    ]
    assert left_out == 2
    page = open_page(owner, "/")
    assert len(attention(page)) == 4
    assert "2 more workflows have not run for over an hour" in page.text


def ends(gaps: Sequence[timedelta]) -> list[datetime]:
    moments = [datetime(2026, 11, 1).astimezone()]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    return moments


def test_silence_is_measured_by_the_usual_gaps_not_by_the_rare_ones() -> None:
    nights = [30 * MINUTE] * 55 + [timedelta(hours=14)] * 4
    pace = find_pace(ends(nights))
    assert pace is not None
    assert (pace.usual, pace.silent_after) == (30 * MINUTE, 90 * MINUTE)
    often = [30 * MINUTE] * 50 + [timedelta(hours=2)] * 9
    pace = find_pace(ends(often))
    assert pace is not None and pace.silent_after == timedelta(hours=6)
    assert find_pace(ends([MINUTE] * 3)) is None


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(seconds=0.2), "1.0 s"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(minutes=14, seconds=50), "15 min"),
        (timedelta(hours=3, minutes=4), "3 h"),
        (timedelta(hours=23, minutes=58), "1 d"),
        (timedelta(days=9, hours=7), "9 d"),
    ],
)
def test_a_span_is_said_in_about_two_digits(time: timedelta, text: str) -> None:
    assert span(time) == text


def test_tests_and_archived_workflows_are_left_out(owner: FlaskClient, team: Team) -> None:
    store_runs(team, "+++", last=10 * MINUTE)
    store_runs(team, "-", is_test=True)
    assert health_of(team).strip_in_words == "3 of 3 succeeded"
    assert health_of(team).state == "ok"
    archived = create_workflow(team.workspace_id, "Old one")
    archive_workflow(archived)
    assert "Old one" not in open_page(owner, "/").text


def test_a_row_says_how_a_workflow_does(owner: FlaskClient, team: Team) -> None:
    for number in range(4):
        kind = "failure" if number == 1 else "success"
        at = (now() - number * MINUTE).isoformat()
        report(owner, team, kind, ended_at=at, duration_ms=1000 * (number + 1))
    process_batch(10)
    health = health_of(team)
    assert (health.success_in_words, health.typical_ms) == ("75 %", 2_500)
    page = open_page(owner, "/")
    assert "OK" in page.text and "75 %" in page.text and "2.5 s" in page.text
    assert "Runs 4 Failures 1 Refused 0" in page.text
    labels = [values.get("aria-label") for tag, values in page.tags if tag == "svg"]
    assert "3 of 4 succeeded" in labels


def test_each_failure_has_its_title_and_the_newest_bar_is_at_the_right(
    app: Flask, team: Team
) -> None:
    store_runs(team, "++-" + "+" * 9 + "--", last=5 * MINUTE)
    good, first, second = health_of(team).bars
    assert (good.places[0], len(good.places), good.title) == (46, 11, "11 of 14 succeeded")
    assert (first.outcome, first.places, first.title) == ("failure", [48], "Failed 2 h ago")
    assert (second.places, second.title) == ([58, 59], "2 failed, the last 5 min ago")
    assert second.places[-1] == STRIP_LENGTH - 1


def test_one_failure_in_a_million_is_not_all_good() -> None:
    health = WorkflowHealth(Workflow(), LastRuns([], now()), 999_999, 1, now())
    assert health.success_in_words == "99.9 %"


def test_sixty_workflows_with_long_names_and_restless_runs_fit_on_pages(
    owner: FlaskClient, team: Team
) -> None:
    for number in range(59):
        workflow = create_workflow(team.workspace_id, f"{number:02} {HOSTILE}" + "&" * 80)
        store_runs(team, "+-" * 30, workflow_id=workflow.id)
    store_runs(team, "+-" * 30)
    seen: set[str] = set()
    for number in (1, 2, 3):
        answer = owner.get(f"/?page={number}")
        assert len(answer.data) < MAX_HTML
        page = Page(answer.text)
        assert "img" not in {tag for tag, _ in page.tags}
        shown = {
            values["id"] or ""
            for tag, values in page.tags
            if tag == "tr" and (values.get("id") or "").startswith("workflow-")
        }
        assert len(shown) == PAGE_SIZE
        seen |= shown
    assert len(seen) == 60


# --- In place -------------------------------------------------------------------------------------


def test_the_fragment_is_what_the_page_includes(owner: FlaskClient, team: Team) -> None:
    store_runs(team, "+")
    fragment = owner.get("/overview").text
    assert fragment.count("<html") == 0
    (root,) = [values for _, values in Page(fragment).tags if values.get("id") == "overview"]
    assert root["hx-get"] == "/overview" and str(root["hx-trigger"]).startswith("every 15s")
    assert (root["hx-status:4xx"], root["hx-status:5xx"]) == ("swap:none", "swap:none")
    assert Page(fragment).has_id(f"workflow-{team.workflow_public_id}")
    page = open_page(owner, "/")
    assert any(values.get("hx-get") == "/overview" for _, values in page.tags)


def test_nonsense_in_the_address_of_a_page_is_the_first_or_last(
    owner: FlaskClient, team: Team
) -> None:
    store_runs(team, "+")
    for page in ("x", "-1", "9999", "9" * 30, "٣"):
        assert team.name in open_page(owner, f"/?page={page}").text


def test_the_workflows_stand_on_numbered_pages_as_every_list_does(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "PAGE_SIZE", 1)
    store_runs(team, "+")
    for number in range(2):
        store_runs(team, "+", workflow_id=create_workflow(team.workspace_id, f"W{number}").id)
    first, second = open_page(owner, "/"), open_page(owner, "/?page=2")
    assert "Page 1 of 3" in first.text and "Page 2 of 3" in second.text
    assert "/?page=2#workflows" in first.links and "/?page=3#workflows" in second.links
    assert "/?page=1#workflows" in second.links
    fragments = [v["hx-get"] for _, v in (*first.tags, *second.tags) if "hx-get" in v]
    assert fragments == ["/overview", "/overview?page=2"]
    assert "Page 2 of 3" in owner.get("/overview?page=2").text


def test_another_workspace_is_not_looked_at(owner: FlaskClient, team: Team) -> None:
    other = make_team("Secret plans", first=False)
    store_runs(team, "+")
    store_runs(other, "-", workflow_id=other.workflow_id)
    store_refusals(other, 2)
    page = open_page(owner, "/")
    assert "Secret plans" not in page.text
    assert [key for key in attention(page) if key != "worker"] == []


def test_the_bar_leads_everywhere(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/problems")
    bar = [values for tag, values in page.tags if tag == "a" and values.get("aria-current")]
    assert {"/", "/events", "/problems", "/workflows", "/keys"} <= set(page.links)
    assert "/problems" in [values["href"] for values in bar]

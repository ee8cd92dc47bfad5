"""Insights and badges: what charts and pictures say, with none and many runs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.clock import now
from app.console import outliers
from app.console.ranges import RANGES
from app.extensions import db, writing
from app.models import Run, Workflow
from app.processing.rollups import add_up
from app.processing.runs import Report, record_runs
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from tests.alerting.test_ticking import stuck_run
from tests.console.pages import Page, open_page, send_form
from tests.console.test_rollup_sums import make_report
from tests.factories import Team, make_team

HOSTILE = "<script>alert(1)</script>\" onload='x' {{7*7}}"
PAGE_LIMIT = 100 * 1024


def record(team: Team, *told: tuple[float, str, float | None]) -> None:
    """Runs by how many minutes ago they ended, their outcome and duration."""
    at = now()
    reports: list[Report] = [
        make_report(
            number,
            team.workspace_id,
            [team.workflow_id],
            at,
            0,
            round(minutes * 60),
            0,
            outcome,
            duration_ms,
            0,
            False,
        )
        for number, (minutes, outcome, duration_ms) in enumerate(told)
    ]
    for each in reports:
        each.columns["is_test"] = False
    with writing() as session:
        contributions = record_runs(session, reports).contributions
        add_up(session, contributions, at)


def outlier_titles(owner: FlaskClient, range_name: str = "7d") -> list[str]:
    """What the marks of runs say in the workspace's charts; steps can be marked, too."""
    html = owner.get(f"/insights?range={range_name}").text
    shapes = re.findall(r'<path class="outlier"[^>]*>(?:<title>(.*?)</title>)?', html)
    return [unescape(each) for each in shapes if "95 % took" not in each]


def table_of(page: Page) -> str:
    return page.text.partition("The numbers as a table")[2]


def test_without_runs_insights_says_how_to_get_some(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/insights")
    assert "No runs in the last 90 days" in page.text
    assert not [tag for tag, values in page.tags if values.get("class") == "plot"]
    assert "How it went" not in open_page(owner, f"/workflows/{team.workflow_public_id}").text


def test_where_no_run_said_how_long_it_took_no_empty_chart_is_drawn(
    owner: FlaskClient, team: Team
) -> None:
    record(team, (20, "success", None), (25, "failure", None))
    for path in ("/insights", f"/workflows/{team.workflow_public_id}"):
        page = open_page(owner, path)
        assert "Send started_at to see durations." in page.text
        labels = [values.get("aria-label") or "" for tag, values in page.tags if tag == "svg"]
        assert not [label for label in labels if label.startswith("Duration")]
        assert [label for label in labels if label.startswith("Success rate")]


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Late in an hour, so that what ran half an hour ago ran within it."""
    for module in ("app.console.insight_view.now", f"{__name__}.now"):
        monkeypatch.setattr(module, lambda: datetime(2026, 11, 24, 12, 45, tzinfo=UTC))


@pytest.mark.parametrize("name", RANGES)
def test_charts_say_what_they_show_in_words(
    owner: FlaskClient, team: Team, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    slow = [(30, "success", 60_000.0)]
    record(team, *[(20, "success", 1_000.0)] * 30, (25, "failure", None), *slow)
    for path in ("/insights", f"/workflows/{team.workflow_public_id}"):
        page = open_page(owner, f"{path}?range={name}")
        labels = [
            values["aria-label"] or ""
            for tag, values in page.tags
            if tag == "svg" and "aria-label" in values
        ]
        step = RANGES[name].step
        wanted = f"Runs by {step} over {RANGES[name].label}: 31 succeeded, 1 failed"
        assert wanted in labels
        assert any(label.startswith(f"Success rate by {step}: 96.9 %") for label in labels)
        assert any(
            label.startswith("The last 90 days: 1 day with runs, 1") or "2 days with runs" in label
            for label in labels
        )
        assert "31 of 32 succeeded" in labels
        assert "31 1 96.9 % 991 ms 991 ms" in table_of(page)
        assert f'aria-current="true">{RANGES[name].label}' in owner.get(f"{path}?range={name}").text


def test_an_outlier_is_marked_and_leads_to_its_runs(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    record(team, *[(20, "success", 1_000.0)] * 40, (30, "success", 60_000.0))
    page = open_page(owner, f"/workflows/{team.workflow_public_id}")
    assert "1 run took longer than" in page.text
    dots = [
        values for tag, values in page.tags if tag == "path" and values.get("class") == "outlier"
    ]
    assert len(dots) == 1
    assert "Outlier" in table_of(page) and "991 ms 991 ms 1 min" in table_of(page)
    listed = open_page(owner, next(link for link in page.links if "longer=" in link))
    assert listed.text.count("Succeeded") == 2  # One row, and the segment of the filter.


@pytest.mark.parametrize("seen", [0, outliers.MOST_SEEN])
@pytest.mark.parametrize("name", RANGES)
def test_the_workspace_marks_what_is_long_for_its_own_workflow(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch, name: str, seen: int
) -> None:
    """Ten seconds are usual for one and stand out at another, below the p95 of all."""
    stop_the_clock(monkeypatch)
    monkeypatch.setattr(outliers, "MOST_SEEN", seen)
    quick = replace(team, workflow_id=create_workflow(team.workspace_id, HOSTILE).id)
    record(team, *[(20, "success", 60_000.0)] * 40, (25, "success", 110_000.0))
    record(quick, *[(30, "success", 1_000.0)] * 40, (35, "failure", 10_000.0), (5, "success", None))
    page = open_page(owner, f"/insights?range={name}")
    (title,) = outlier_titles(owner, name)
    assert title.endswith(": 10.0 s") and "alert(1)" in title
    assert "1 run took longer than twice the p95 of its own workflow." in page.text
    assert "10.0 s" in table_of(page)


def test_longer_runs_of_another_time_hide_no_outlier_of_this_one(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    days = 10 * 24 * 60
    record(team, *[(days, "success", 600_000.0)] * (outliers.MOST_READ + 1))
    record(team, *[(20, "success", 1_000.0)] * 40, (25, "success", 30_000.0))
    (title,) = outlier_titles(owner)
    assert title.endswith(": 30.0 s")


def test_of_many_outliers_of_a_workspace_the_furthest_beyond_are_marked(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_the_clock(monkeypatch)
    tail = [(20, "success", 5_000.0 + number) for number in range(60)]
    record(team, *[(20, "success", 1_000.0)] * 2_000, *tail, (20, "success", 9_000.0))
    page = open_page(owner, "/insights")
    titles = outlier_titles(owner)
    assert len(titles) == 40 and sum(title.endswith(": 9.0 s") for title in titles) == 1
    assert "More than 40 runs took longer" in page.text


def test_workflows_with_few_runs_and_other_workspaces_mark_nothing(
    owner: FlaskClient, team: Team
) -> None:
    record(team, *[(20, "success", 1_000.0)] * 18, (30, "success", 60_000.0))
    other = make_team(first=False)
    record(other, *[(20, "success", 1_000.0)] * 40, (30, "success", 60_000.0))
    assert outlier_titles(owner) == []


def test_days_are_those_of_the_reader(owner: FlaskClient, team: Team) -> None:
    record(team, (10, "success", None))
    owner.set_cookie("time_zone", "Pacific/Kiritimati")
    page = open_page(owner, "/insights?range=30d")
    assert "Days are those of Pacific/Kiritimati" in page.text
    send_form(owner, "/account", "/account/time-zone", time_zone="Pacific/Niue")
    assert "Days are those of Pacific/Niue" in open_page(owner, "/insights?range=30d").text
    for odd in ("../../etc/passwd", "Mars/Base", "\x00"):
        owner.set_cookie("time_zone", odd)
        open_page(owner, "/insights?range=nonsense&page=x")


def test_a_full_page_is_small(owner: FlaskClient, team: Team) -> None:
    told = []
    for hours in range(90 * 24):
        outcome = "failure" if hours % 7 == hours % 5 else "success"
        told.append((60.0 * hours, outcome, 10.0 + (hours % 97) ** 4))
    record(team, *told)
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=f"{'Long name ' * 10}{n}", slug=f"s-{n}")
            for n in range(60)
        )
    for name in RANGES:
        for path in ("/insights", f"/workflows/{team.workflow_public_id}"):
            answer = owner.get(f"{path}?range={name}")
            assert len(answer.data) <= PAGE_LIMIT, (path, name, len(answer.data))
            assert "style=" not in answer.text
    calendar = re.search(r'<svg class="calendar".*?</svg>', answer.text, re.S)
    assert calendar is not None and calendar[0].count("<path") <= 5


# --- badges -------------------------------------------------------------------------------------


def badge(client: FlaskClient, team: Team) -> tuple[str, Any]:
    """The text of the SVG, and the JSON."""
    token = db.session.scalars(
        select(Workflow.badge_token).where(Workflow.id == team.workflow_id)
    ).one()
    svg, document = (client.get(f"/badge/{token}.{kind}") for kind in ("svg", "json"))
    for answer in (svg, document):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        assert "Set-Cookie" not in answer.headers
    assert svg.content_type.startswith("image/svg+xml")
    return str(ElementTree.fromstring(svg.text).attrib["aria-label"]), document.json  # noqa: S314


def told(client: FlaskClient, team: Team) -> tuple[str, str, bool]:
    document = badge(client, team)[1]
    return document["message"], document["color"], document["isError"]


def test_a_badge_tells_the_state_to_whoever_knows_its_address(
    owner: FlaskClient, team: Team, client: FlaskClient
) -> None:
    path = f"/workflows/{team.workflow_public_id}"
    assert send_form(owner, path, f"{path}/badge").status_code == 303
    label, document = badge(client, team)
    assert label == "Lead enrichment: no runs"
    assert document == {
        "schemaVersion": 1,
        "label": "Lead enrichment",
        "message": "no runs",
        "color": "lightgrey",
        "isError": False,
        "cacheSeconds": 300,
    }
    record(team, (3, "success", None))
    assert told(client, team) == ("passing", "brightgreen", False)
    record(team, (2, "failure", None))
    assert told(client, team) == ("failing", "red", True)
    record(team, (1, "success", None))
    with writing() as session:
        session.add(stuck_run(team, 0))
    assert told(client, team) == ("stuck", "red", True)
    with writing() as session:
        session.query(Run).filter_by(outcome="running").delete()
    with writing() as session:
        session.query(Run).update({"ended_at": now() - timedelta(days=3)})
    record(team, *((3 * 24 * 60 - number, "success", None) for number in range(1, 8)))
    assert badge(client, team)[0] == "Lead enrichment: silent"
    assert told(client, team) == ("silent", "orange", True)
    workflow = db.session.get_one(Workflow, team.workflow_id)
    rename_workflow(workflow, HOSTILE, workflow.slug)
    archive_workflow(db.session.get_one(Workflow, team.workflow_id))
    label, document = badge(client, team)
    assert label.endswith(": archived") and label.startswith("<script>")
    assert json.dumps(document).count("script") >= 1


def test_a_badge_can_be_renewed_and_switched_off(
    owner: FlaskClient, team: Team, client: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    path = f"/workflows/{team.workflow_public_id}"
    send_form(owner, path, f"{path}/badge")
    old = addresses(owner, path)
    assert len(old) == 2 and client.get(old[0]).status_code == 200
    assert addresses(colleague("viewer"), path) == []
    send_form(owner, path, f"{path}/badge")
    new = addresses(owner, path)
    assert [client.get(each).status_code for each in (*old, *new)] == [404, 404, 200, 200]
    send_form(owner, path, f"{path}/badge/off")
    assert [client.get(each).status_code for each in new] == [404, 404]
    assert addresses(owner, path) == []
    for odd in ("None", "x" * 32, "%00" * 32, "é" * 32, ""):
        assert client.get(f"/badge/{odd}.svg").status_code == 404


def addresses(client: FlaskClient, path: str) -> list[str]:
    """What can be copied of the badge, as paths."""
    copied = [
        v.get("data-copy") or "" for tag, v in open_page(client, path).tags if tag == "button"
    ]
    return ["/badge/" + each.partition("/badge/")[2] for each in copied if "/badge/" in each]

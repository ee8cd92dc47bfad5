"""Run history in the browser: the list, a run, runs that belong together, failures by error."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select

from app.clock import now
from app.console import run_search
from app.console.formatting import exact, iso
from app.console.places import Place
from app.console.run_filter import RunFilter
from app.console.run_links import find_source_link
from app.console.run_search import find_page
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import Run, Workflow
from app.processing.batch import process_batch
from app.processing.error_groups import find_error_group
from app.workspaces.run_urls import change_run_url
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team, report

HOSTILE = "<script>alert(1)</script>\" onload='x' {{7*7}}"
START = datetime(2026, 11, 1, tzinfo=UTC)


def send(client: FlaskClient, team: Team, kind: str = "success", **fields: Any) -> str:
    """Report a run and have it processed; returns the run's public id."""
    answer = report(client, team, kind, **fields)
    assert answer.status_code == 202, answer.text
    while process_batch(100):
        pass
    db.session.rollback()
    return db.session.scalars(select(Run.public_id).order_by(Run.id.desc()).limit(1)).one()


def fill(team: Team, count: int, **columns: Any) -> None:
    """So many runs, a minute apart; each tenth failed."""
    rows = []
    for number in range(count):
        failed = number % 10 == 0
        message = f"order {number} is empty" if failed else None
        rows.append(
            {
                "public_id": new_id(),
                "workspace_id": team.workspace_id,
                "workflow_id": team.workflow_id,
                "outcome": "failure" if failed else "success",
                "ended_at": START + timedelta(minutes=number // 2),
                "duration_ms": 1_000.0 * number,
                "error_message": message,
                "error_group": find_error_group(None, message),
                "decided_by_event_id": 1,
                "event_count": 1,
                "is_test": False,
                "created_at": START,
                "updated_at": now(),
                "external_execution_id": f"e-{number}",
                **columns,
            }
        )
    with writing() as session:
        session.execute(insert(Run.__table__), rows)  # type: ignore[arg-type]


def shown(page: Page) -> list[str]:
    """The execution ids of the rows, from the top."""
    return [
        values["title"] or ""
        for tag, values in page.tags
        if tag == "span" and values.get("class") == "clip" and "title" in values
    ]


def pages_of(owner: FlaskClient, path: str, rel: str = "next") -> list[list[str]]:
    """What all pages show, one after the other, by the links between them."""
    found = []
    while path:
        assert len(found) < 50
        page = open_page(owner, path)
        found.append(shown(page))
        links = (v["href"] or "" for tag, v in page.tags if tag == "a" and v.get("rel") == rel)
        path = next(links, "")
    return found


def test_without_runs_the_list_says_how_to_get_some(owner: FlaskClient) -> None:
    page = open_page(owner, "/runs")
    assert "No runs yet" in page.text and "/connect" in page.links
    assert "No failures in this time" in open_page(owner, "/runs/errors").text


def test_pages_hold_every_run_once_the_last_to_end_first(owner: FlaskClient, team: Team) -> None:
    fill(team, 130)
    everything = [f"e-{number}" for number in reversed(range(130))]
    assert [len(each) for each in pages_of(owner, "/runs")] == [50, 50, 30]
    assert list(chain(*pages_of(owner, "/runs"))) == everything
    page = open_page(owner, "/runs")
    older = next(v["href"] or "" for _, v in page.tags if v.get("rel") == "next")
    back = pages_of(owner, older, "prev")
    assert back[-1] == everything[:50]


@pytest.mark.parametrize("path", ["/runs", "/workflows/{workflow}"])
def test_a_list_says_how_long_ago_a_run_ended_and_on_hover_when(
    owner: FlaskClient, team: Team, path: str
) -> None:
    ended_at = now() - timedelta(hours=3)
    fill(team, 1, ended_at=ended_at, started_at=ended_at - timedelta(hours=2))
    public_id = db.session.scalar(select(Workflow.public_id).where(Workflow.slug == team.slug))
    page = open_page(owner, path.format(workflow=public_id))
    told = {v["datetime"]: v for tag, v in page.tags if tag == "time" and "data-relative" in v}
    assert told[iso(ended_at)]["title"] == exact(ended_at)
    assert "3 h ago" in page.text
    assert not [values for tag, values in page.tags if "data-clock" in values]


@pytest.mark.parametrize("query", ["outcome=failure", "q=is+empty", "q=ORDER", "longer=0&q=order"])
def test_a_filter_that_no_index_answers_finds_all_in_windows(
    owner: FlaskClient, team: Team, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 7)
    monkeypatch.setattr(run_search, "SECONDS", 60)
    fill(team, 600)
    found = list(chain(*pages_of(owner, f"/runs?{query}")))
    expected = [f"e-{number}" for number in reversed(range(0, 600, 10))]
    assert found == (expected[:-1] if "longer" in query else expected)
    page = find_page(team.workspace_id, RunFilter.read({"outcome": "failure"}, team.workspace_id))
    assert page.older is not None
    down = find_page(team.workspace_id, RunFilter(), before=page.older)
    up = find_page(team.workspace_id, RunFilter(), after=down.places[0])
    assert up.places[-1] == page.older


def test_a_search_that_takes_too_long_goes_on_from_where_it_came(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 7)
    monkeypatch.setattr(run_search, "SECONDS", -1)
    fill(team, 40)
    page = open_page(owner, "/runs?q=order+0")
    steps = 0
    while not shown(page):
        assert "found nothing so far" in page.text
        go_on = next(link for link in page.links if "before=" in link)
        page, steps = open_page(owner, go_on), steps + 1
    assert shown(page) == ["e-0"] and steps > 2


def test_a_list_says_how_far_it_was_searched_and_leads_on(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(team, 20)
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 7)
    monkeypatch.setattr(run_search, "SECONDS", -1)
    page = open_page(owner, "/runs?q=order+0")
    at = exact(START + timedelta(minutes=6))
    assert f"Searched back to {at} , and found nothing so far." in page.text
    while not shown(page):
        (onward,) = (link for link in page.links if "before=" in link)
        assert "q=order+0" in onward and "shown" not in onward
        page = open_page(owner, onward)
    assert shown(page) == ["e-0"]


@pytest.mark.parametrize("seconds", [-1, 60])
def test_a_run_with_exactly_the_id_is_shown_at_once_and_once(
    owner: FlaskClient, team: Team, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 7)
    monkeypatch.setattr(run_search, "SECONDS", seconds)
    fill(team, 130)
    page = open_page(owner, "/runs?q=e-5")
    assert shown(page)[0] == "e-5" and "With exactly this id" in page.text
    found = shown(page)
    while go_on := [link for link in page.links if "before=" in link]:
        page = open_page(owner, go_on[0])
        found += shown(page)
    assert found == ["e-5", *(f"e-{number}" for number in reversed(range(50, 60)))]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=exec-77", ["exec-77"]),
        ("q=429+FROM", ["exec-77"]),
        ("q=LEADS", ["ok-1"]),
        ("outcome=success", ["ok-1"]),
        ("platform=Make", ["exec-77"]),
        ("correlation=order-1", ["ok-1", "exec-77"]),
        ("longer=2", ["ok-1"]),
        ("since=2026-11-20T10:00&until=2026-11-20T10:00:30", ["exec-77"]),
        ("until=2026-11-19", []),
        ("workflow={slug}", ["ok-1", "exec-77"]),
        ("error={error}&workflow={slug}", ["exec-77"]),
    ],
)
def test_each_filter_shows_what_fits(
    owner: FlaskClient, team: Team, query: str, expected: list[str]
) -> None:
    send(
        owner,
        team,
        "failure",
        external_execution_id="exec-77",
        error_type="HTTPError",
        error_message="429 from the CRM",
        ended_at="2026-11-20T10:00:00Z",
        source_platform="make",
        correlation_id="order-1",
        duration_ms=900,
    )
    send(
        owner,
        team,
        external_execution_id="ok-1",
        ended_at="2026-11-20T10:01:00Z",
        metadata={"leads": 12},
        correlation_id="order-1",
        duration_ms=2_500,
    )
    error = find_error_group("HTTPError", "429 from the CRM")
    path = "/runs?" + query.format(slug=team.slug, error=error)
    assert shown(open_page(owner, path)) == expected


def test_what_can_t_be_read_is_named_at_its_field(owner: FlaskClient) -> None:
    for query, message in (
        ("outcome=lost", "Choose one of: success, failure, running, stuck."),
        ("longer=soon", "Write a number of seconds"),
        ("since=yesterday", "Write a date and time"),
        ("workflow=none", "There is no workflow"),
        ("error=x", "16 digits"),
        ("q=" + "x" * 501, "at most 500 characters"),
    ):
        page = open_page(owner, f"/runs?{query}", 422)
        assert message in page.text
        assert page.has_id(f"filter-{query.partition('=')[0]}-error")
    for odd in ("before=1", "before=x-y", "after=-", f"before={'9' * 18}-1", "before=1-%00"):
        assert "This page can't be found" in open_page(owner, f"/runs?{odd}", 422).text


def test_a_run_shows_all_that_was_told_of_it(owner: FlaskClient, team: Team) -> None:
    told = {
        "external_execution_id": f"e {HOSTILE}",
        "source_platform": "n8n",
        "source_workflow_id": "12",
        "correlation_id": "order-9",
        "error_type": "HTTPError",
        "error_message": f"429 {HOSTILE}",
        "metadata": {"note": HOSTILE, "execution_url": "https://n8n.example.com/e/4711"},
        "started_at": "2026-11-20T10:00:00Z",
        "ended_at": "2026-11-20T10:00:02.5Z",
    }
    run_id = send(owner, team, "failure", **told)
    answer = owner.get(f"/runs/{run_id}")
    assert "<script>alert" not in answer.text
    page = Page(answer.text)
    for text in (HOSTILE, "HTTPError", "order-9", "2.5 s", run_id, "n8n", "12", team.name):
        assert text in page.text.replace('\\"', '"'), text
    assert "https://n8n.example.com/e/4711" in page.links
    event = next(link for link in page.links if link.startswith("/events/"))
    assert f"/runs/{run_id}" in open_page(owner, event).links
    error = find_error_group("HTTPError", told["error_message"])  # type: ignore[arg-type]
    assert f"/runs?error={error}" in page.links
    assert "HTTPError" in open_page(owner, f"/runs?error={error}").text


def test_runs_that_belong_together_are_one_timeline(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    times = {"started_at": "2026-11-20T10:00:00Z", "ended_at": "2026-11-20T10:00:10Z"}
    send(owner, team, correlation_id="o-1", **times)
    later = {"workflow_slug": other.slug, "ended_at": "2026-11-20T10:01:40Z", "duration_ms": 50_000}
    last = send(owner, team, "failure", correlation_id="o-1", **later)
    send(owner, team, correlation_id="o-2", **times)
    page = open_page(owner, f"/runs/{last}")
    assert "2 runs with the correlation o-1 , over 1 min 40 s" in page.text
    bars = [
        (values["x"], values["width"])
        for _, values in page.tags
        if values.get("class") in ("success", "failure")
    ]
    assert bars == [("0", "100"), ("500", "500")]
    alone = send(owner, team, correlation_id="o-3")
    assert "Timeline" not in open_page(owner, f"/runs/{alone}").text


def start(client: FlaskClient, team: Team, at: datetime, **fields: Any) -> str:
    body = {"workflow_slug": team.slug, "started_at": at.isoformat(), **fields}
    answer = client.post("/api/v1/ingest/run-start", json=body, headers=team.headers)
    assert answer.status_code == 202, answer.text
    process_batch(100)
    db.session.rollback()
    return db.session.scalars(select(Run.public_id).order_by(Run.id.desc()).limit(1)).one()


def test_open_runs_are_listed_as_they_began(owner: FlaskClient, team: Team) -> None:
    fill(team, 20)
    running = {"outcome": "running", "ended_at": None, "duration_ms": None, "error_message": None}
    for day in (2, 1):
        fill(
            team, 60, **running, started_at=START + timedelta(days=day), external_execution_id=None
        )
        with writing() as session:
            opened = select(Run).where(
                Run.outcome == "running", Run.external_execution_id.is_(None)
            )
            for number, run in enumerate(session.scalars(opened.order_by(Run.id)).all()):
                run.external_execution_id = f"{day}-{number}"
    expected = [f"{day}-{number}" for day in (2, 1) for number in reversed(range(60))]
    pages = pages_of(owner, "/runs?outcome=running")
    assert [len(each) for each in pages] == [50, 50, 20] and list(chain(*pages)) == expected
    page = open_page(owner, "/runs?outcome=running")
    older = next(v["href"] or "" for _, v in page.tags if v.get("rel") == "next")
    assert pages_of(owner, older, "prev")[-1] == expected[:50]
    with writing() as session:
        for name in ("2-3", "1-4"):
            stuck = session.scalars(select(Run).where(Run.external_execution_id == name)).one()
            stuck.stuck_since = START + timedelta(days=3)
    stuck_page = open_page(owner, "/runs?outcome=stuck")
    assert shown(stuck_page) == ["2-3", "1-4"] and "Stuck" in stuck_page.text
    for query, found in (
        ("since=2026-11-03T00:00", ["2-3"]),
        ("until=2026-11-03T00:00", ["1-4"]),
        (f"workflow={team.slug}", ["2-3", "1-4"]),
        ("q=1-4", ["1-4"]),
        ("q=nothing", []),
        ("longer=1e11", []),
        ("period=90d&longer=1", ["2-3", "1-4"]),
        ("error=0123456789abcdef", []),
    ):
        assert shown(open_page(owner, f"/runs?outcome=stuck&{query}")) == found, query


def test_a_timeline_shows_an_open_run_up_to_now(owner: FlaskClient, team: Team) -> None:
    at = now()
    send(
        owner,
        team,
        correlation_id="o-1",
        started_at=(at - timedelta(minutes=10)).isoformat(),
        ended_at=(at - timedelta(minutes=5)).isoformat(),
    )
    began = at - timedelta(minutes=5)
    opened = start(owner, team, began, correlation_id="o-1", external_execution_id="x-1")
    page = open_page(owner, f"/runs/{opened}")
    bars = [
        (values["class"], values["x"], values["width"])
        for tag, values in page.tags
        if tag == "rect" and values.get("class") in ("success", "running")
    ]
    assert [each[0] for each in bars] == ["success", "running"]
    assert all(abs(int(width or 0) - 500) < 5 for _, _, width in bars)
    assert "so far" in page.text and "2 runs with the correlation" in page.text
    workflow_page = open_page(owner, f"/workflows/{team.workflow_public_id}")
    assert f"/runs/{opened}" in workflow_page.links
    assert f"/runs?workflow={team.workflow_public_id}&outcome=running" in workflow_page.links


def test_failures_with_the_same_error_are_one_line(owner: FlaskClient, team: Team) -> None:
    for number in range(3):
        at = (now() - timedelta(days=10 * number)).isoformat()
        message = f"order {number} of 'ana {number}' is empty"
        send(owner, team, "failure", error_message=message, error_type="E", ended_at=at)
    send(owner, team, "failure", error_message="another", ended_at=now().isoformat())
    page = open_page(owner, "/runs/errors")
    assert "order … of … is empty E Lead enrichment 3 " in page.text
    assert "another Lead enrichment 1 " in page.text
    assert (
        "order … of … is empty E Lead enrichment 1 "
        in open_page(owner, "/runs/errors?period=24h").text
    )
    group = next(link for link in page.links if "error=" in link)
    assert "3 failures" in open_page(owner, group).text
    open_page(owner, "/runs/errors?period=forever&workflow=none", 422)


def test_only_http_addresses_lead_outside(owner: FlaskClient, team: Team) -> None:
    send(owner, team, external_execution_id="a/../b?c#d@evil.example")
    run = db.session.scalars(select(Run)).one()
    for url in (
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://",
        "https://a b",
        "https://ana:secret@evil.example/",
        "https://evil.example\\@good.example",
        "https://x.example:port/",
        "http://[::1",
        "https://x.example/\u202e",
        "x" * 2_001,
        5,
        None,
    ):
        assert find_source_link(run, {"url": url}) is None, url
    link = find_source_link(run, {"url": "no", "executionUrl": "HTTP://n8n.example:5678/e/1"})
    assert link == ("HTTP://n8n.example:5678/e/1", "n8n.example")
    workflow = db.session.get_one(Workflow, team.workflow_id)
    change_run_url(workflow, "https://n8n.example/e/{execution_id}?x=1")
    db.session.expire_all()
    run = db.session.scalars(select(Run)).one()
    own = "https://n8n.example/e/a%2F..%2Fb%3Fc%23d%40evil.example?x=1"
    page, execution = "https://crm.example/lead/1", "https://n8n.example/e/7"
    for details, url in (
        (None, own),
        ({"url": page}, own),
        ({"url": page, "runUrl": execution}, execution),
        ({"execution_url": "no", "url": page}, own),
    ):
        link = find_source_link(run, details)
        assert link is not None and link.url == url, details


def test_a_template_for_runs_is_checked_and_saved(owner: FlaskClient, team: Team) -> None:
    path, action = f"/workflows/{team.workflow_public_id}", "/run-url"
    for url, message in (
        ("n8n.example.com/{execution_id}", "Begin with https://"),
        ("javascript:{execution_id}", "Begin with https://"),
        ("https://{execution_id}.example.com/", "host must be written out"),
        ("https://ana:x@n8n.example.com/{execution_id}", "host must be written out"),
        ("https://n8n.example.com/", "Put {execution_id} once"),
        ("https://n8n.example.com/{execution_id}/{id}", "Put {execution_id} once"),
        ("https://n8n.example.com/{execution_id} <b>", "holds a space"),
        ("https://n8n.example.com/{execution_id}" + "x" * 500, "at most 500"),
    ):
        answer = send_form(owner, path, path + action, run_url=url)
        assert answer.status_code == 422, url
        assert message in Page(answer.text).text, url
    good = "https://n8n.example.com/workflow/12/executions/{execution_id}"
    assert send_form(owner, path, path + action, run_url=good).status_code == 303
    send(owner, team, external_execution_id="4711", ended_at=now().isoformat())
    executions = "https://n8n.example.com/workflow/12/executions/4711"
    assert executions in open_page(owner, "/runs").links
    assert executions in open_page(owner, path).links
    send_form(owner, path, path + action, run_url="")
    assert executions not in open_page(owner, "/runs").links


def test_nobody_sees_the_runs_of_others(
    owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    other = make_team("Other", first=False)
    foreign = send(
        owner,
        other,
        "failure",
        external_execution_id="secret-1",
        correlation_id="c",
        error_message="x",
    )
    send(owner, team, external_execution_id="mine-1", correlation_id="c")
    assert shown(open_page(owner, "/runs?correlation=c")) == ["mine-1"]
    for query in ("q=secret-1", "outcome=failure", f"error={find_error_group(None, 'x')}"):
        assert "secret-1" not in " ".join(shown(open_page(owner, f"/runs?{query}")))
    open_page(owner, f"/runs?workflow={other.workflow_public_id}", 422)
    open_page(owner, f"/runs/{foreign}", 404)
    assert "No failures" in open_page(owner, "/runs/errors").text
    viewer = colleague("viewer")
    assert shown(open_page(viewer, "/runs")) == ["mine-1"]
    path = f"/workflows/{team.workflow_public_id}"
    for action in ("run-url", "badge", "badge/off"):
        token = open_page(viewer, "/account").forms[0].fields["csrf_token"]
        assert viewer.post(f"{path}/{action}", data={"csrf_token": token}).status_code == 403


def test_the_reading_api_filters_by_platform_and_error(owner: FlaskClient, team: Team) -> None:
    send(owner, team, "failure", source_platform="n8n", error_message="no 1")
    send(owner, team, "failure", source_platform="make", error_message="no 2")
    group = find_error_group(None, "no 3")

    def count(query: str) -> int:
        return len(owner.get(f"/api/v1/runs?{query}", headers=team.headers).json["data"])

    assert count("platform=N8N") == 1
    assert count(f"error_group={group}") == 2
    assert count("error_group=0") == 0
    answer = owner.get("/api/v1/runs", headers=team.headers).json["data"]
    assert {each["error_group"] for each in answer} == {group}


def test_places_are_read_as_they_are_written() -> None:
    for at in (START, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)):
        place = Place(at, 7)
        assert Place.read(str(place)) == place

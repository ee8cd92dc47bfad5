"""What is refused for the same reason is one line, until it is mended or ignored."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, select, text

from app.clock import now
from app.console import group_runs
from app.console.open_problems import WINDOWS, count_by_step, describe, find_group, list_groups
from app.console.problem_groups import PAGE_SIZE
from app.extensions import db, is_sqlite, writing
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.models import Event, UnstoredCount
from app.problems import PROBLEMS
from app.refusal_titles import PHRASES
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page, open_page, send_form, submit
from tests.console.refusals import refuse, store_refusals
from tests.factories import Team, make_team, report, success

HOSTILE = "<img src=x onerror=alert(1)>\u202e"
MAX_HTML = 100 * 1024


def group_links(page: Page) -> list[str]:
    links = [link for link in page.links if link.startswith("/problems/")]
    return [link for link in links if "/export." not in link]


def only_group(client: FlaskClient, path: str = "/problems") -> str:
    (link,) = group_links(open_page(client, path))
    return link


def test_without_a_refusal_the_page_says_what_will_show_up(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/problems")
    assert "No request is refused at the moment" in page.text
    assert "same code, field, workflow and key become one line" in page.text


def test_the_same_refusal_is_one_line_with_its_count(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team, 3, source_platform="n8n")
    refuse(owner, team, 2, workflow_slug=team.slug, ended_at=None)
    page = open_page(owner, "/problems")
    assert len(group_links(page)) == 2
    assert "ended_at is missing 400 validation_failed lead-enrichment" in page.text
    assert "Workflow not found 404 workflow_not_found nope n8n n8n-prod" in page.text
    labels = [values.get("aria-label") for tag, values in page.tags if tag == "svg"]
    assert [label for label in labels if label] == [
        "2 requests in the last 24 h",
        "3 requests in the last 24 h",
    ]


@pytest.mark.parametrize(
    "code", [problem.code for problem in PROBLEMS.values() if problem.kind == "field"]
)
def test_every_code_of_a_field_has_its_phrase(code: str) -> None:
    assert "{field}" in PHRASES[code]


def test_a_misspelt_field_and_a_missing_one_are_two_causes(owner: FlaskClient, team: Team) -> None:
    for fields in ({}, {"endedAt": "2026-01-15T09:30:00Z"}, {"endedAt": "2026-01-16T09:30:00Z"}):
        refuse(owner, team, workflow_slug=team.slug, ended_at=None, **fields)
    links = group_links(open_page(owner, "/problems"))
    counts = [open_page(owner, link).text.count("refused for the same reason") for link in links]
    assert counts == [1, 1]
    text = open_page(owner, links[0]).text
    assert "2 requests refused" in text and "You sent endedAt" in text
    assert "You sent endedAt" not in open_page(owner, links[1]).text


def test_a_group_explains_itself_and_lists_its_requests(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team, 3, external_execution_id="exec-7")
    link = only_group(owner)
    page = open_page(owner, link)
    assert "3 requests refused for the same reason" in page.text
    assert "No workflow has the workflow_slug 'nope'." in page.text
    assert PROBLEMS["workflow_not_found"].cause in page.text
    assert page.text.count("exec-7") == 3
    assert f"/events?problem={link.rpartition('/')[2]}" in page.links
    assert "Reprocess 3" in page.text


def test_only_the_newest_requests_are_listed(owner: FlaskClient, team: Team) -> None:
    store_refusals(team, 60)
    page = open_page(owner, "/problems/" + "a" * 16)
    events = {link.removesuffix("/resend") for link in page.links if link.startswith("/events/")}
    assert len(events) == 50
    assert "The newest 50 of 60." in page.text


def test_what_is_ignored_is_away_until_it_happens_again(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    assert send_form(owner, "/problems", f"{link}/ignore").status_code == 303
    assert group_links(open_page(owner, "/problems")) == []
    ignored = open_page(owner, "/problems?show=ignored")
    assert group_links(ignored) == [link]
    assert f"Ignored by {team.email}" in ignored.text
    assert "Ignored until it happens again" in open_page(owner, link).text
    refuse(owner, team)
    assert only_group(owner) == link
    assert "Nothing is ignored" in open_page(owner, "/problems?show=ignored").text


def test_ignoring_covers_only_what_was_on_the_page(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    form = open_page(owner, "/problems").form(f"{link}/ignore")
    refuse(owner, team)
    owner.post(form.action, data=form.fields)
    assert only_group(owner) == link


def test_nobody_can_ignore_what_is_yet_to_come(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    send_form(owner, "/problems", f"{link}/ignore", up_to="9" * 18)
    refuse(owner, team)
    assert only_group(owner) == link


def test_what_was_ignored_can_be_shown_again(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    send_form(owner, "/problems", f"{link}/ignore")
    send_form(owner, "/problems?show=ignored", f"{link}/show-again")
    assert only_group(owner) == link


def test_ignoring_is_undone_where_it_is_told(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    sent = send_form(owner, link, f"{link}/ignore")
    page = open_page(owner, sent.location)
    assert "The problem is ignored until it happens again." in page.text
    assert owner.post(f"{link}/show-again", data=page.form(f"{link}/show-again").fields)
    page = open_page(owner, "/problems")
    assert group_links(page) == [link] and "is ignored until" not in page.text


def test_what_mends_a_group_comes_before_what_explains_and_what_ignores_it(
    owner: FlaskClient, team: Team
) -> None:
    refuse(owner, team)
    text = open_page(owner, only_group(owner)).text
    places = [text.index(each) for each in ("Mend it", "Why this request", "Ignore until")]
    assert places == sorted(places)


def test_ignoring_twice_keeps_the_later_word(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    link = only_group(owner)
    form = open_page(owner, "/problems").form(f"{link}/ignore")
    for _ in range(2):
        assert owner.post(form.action, data=form.fields).status_code == 303
    assert "Ignored" in open_page(owner, link).text


def test_once_the_cause_is_mended_the_requests_run_again(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team, 2)
    link = only_group(owner)
    create_workflow(team.workspace_id, "Nope", "nope")
    answer = send_form(owner, link, f"{link}/reprocess")
    assert answer.location == "/problems"
    page = open_page(owner, "/problems")
    assert "2 requests reprocessed and accepted." in page.text
    assert group_links(page) == []
    open_page(owner, link, 404)


def test_what_is_refused_again_stays_and_says_why(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team, 2)
    link = only_group(owner)
    answer = send_form(owner, link, f"{link}/reprocess")
    assert answer.location == link
    text = open_page(owner, link).text
    assert "2 requests are still refused. No workflow has the workflow_slug 'nope'." in text


def test_what_runs_again_is_asked_first_with_its_exact_number(
    owner: FlaskClient, team: Team
) -> None:
    refuse(owner, team, 3, workflow_slug="lead-enrichmnt")
    link = only_group(owner)
    asked = open_page(owner, link).questions
    titles = [title for title, *_ in asked]
    assert titles == ["It was Lead enrichment?", "It was {instead}?", "Reprocess 3 requests?"]
    assert all("3 requests" in text for _, text, *_ in asked)
    form = open_page(owner, link).form(f"{link}/reprocess")
    refuse(owner, team, workflow_slug="lead-enrichmnt")
    create_workflow(team.workspace_id, "Typo", "lead-enrichmnt")
    submit(owner, form)
    assert "1 request refused" in open_page(owner, link).text


def test_a_group_of_many_is_reprocessed_step_by_step_and_each_says_how_far_it_is(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_runs, "STEP", 3)
    refuse(owner, team, 7)
    fingerprint = str(db.session.scalar(select(Event.fingerprint)))
    store_refusals(team, 1, fingerprint, body_size=None, code="workflow_not_found", errors=None)
    link = only_group(owner)
    create_workflow(team.workspace_id, "Nope", "nope")
    said = []
    page = Page(send_form(owner, link, f"{link}/reprocess").text)
    for _ in range(2):
        said.append(re.findall(r"(?:Accepted|Still refused|Left) (\d+)", page.text))
        form = page.form(f"{link}/reprocess")
        answer = owner.post(form.action, data=form.fields)
        page = Page(answer.text)
    assert said == [["2", "1", "5"], ["5", "1", "2"]]
    assert (answer.status_code, answer.location) == (303, link)
    text = open_page(owner, link).text
    assert "7 requests reprocessed and accepted, 1 still refused." in text


def test_what_can_not_run_again_has_no_button(owner: FlaskClient, team: Team) -> None:
    owner.post("/api/v1/ingest/run-success", json={})
    store_refusals(team, 1, workspace_id=None, api_key_id=None)
    assert "Reprocess" not in open_page(owner, "/problems/" + "a" * 16).text


def test_what_its_body_is_refused_for_is_edited_and_not_run_again(
    owner: FlaskClient, team: Team
) -> None:
    body = {**success(team), "endedAt": now().isoformat()}
    del body["ended_at"]
    for _ in range(2):
        owner.post("/api/v1/ingest/run-success", json=body, headers=team.headers)
    ingest_service().recorder.flush()
    link = only_group(owner)
    page = open_page(owner, link)
    assert "Reprocess" not in page.text
    newest = db.session.scalar(select(Event.public_id).order_by(Event.id.desc()).limit(1))
    resend = f"/events/{newest}/resend"
    assert resend in page.links and "Edit and resend the newest" in page.text
    assert "endedAt is called ended_at." in open_page(owner, resend).text
    mended = json.dumps({**success(team), "ended_at": body["endedAt"]})
    sent = send_form(owner, resend, body=mended, kind="run-success", workflow="", do="send")
    assert sent.status_code == 303
    assert "1 request refused" in open_page(owner, link).text
    assert "Reprocess" not in open_page(owner, f"/events/{newest}").text


def test_what_lies_ahead_of_the_clock_can_run_again_later(owner: FlaskClient, team: Team) -> None:
    ahead = (now() + timedelta(days=2)).isoformat()
    refuse(owner, team, 2, workflow_slug=team.slug, ended_at=ahead)
    assert "Reprocess 2" in open_page(owner, only_group(owner)).text


def test_requests_of_no_workspace_are_for_the_owner_of_the_server(
    owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    store_refusals(team, 2, workspace_id=None, api_key_id=None, code="unknown_api_key", errors=None)
    link = only_group(owner)
    assert "No such API key" in open_page(owner, link).text
    assert send_form(owner, "/problems", f"{link}/ignore").status_code == 303
    admin = colleague("admin")
    assert group_links(open_page(admin, "/problems?show=ignored")) == []
    open_page(admin, link, 404)


def test_the_groups_of_another_workspace_are_not_there(owner: FlaskClient, team: Team) -> None:
    other = make_team("Secret plans", first=False)
    refuse(owner, other, workflow_slug="hidden-plan")
    fingerprint = db.session.scalar(select(Event.fingerprint))
    db.session.rollback()
    page = open_page(owner, "/problems")
    assert group_links(page) == [] and "hidden-plan" not in page.text
    token = page.form("/sign-out").fields
    for action in ("", "/ignore", "/show-again", "/reprocess"):
        path = f"/problems/{fingerprint}{action}"
        answer = owner.post(path, data=token) if action else owner.get(path)
        assert answer.status_code == 404, path


def test_what_is_no_fingerprint_leads_nowhere(owner: FlaskClient, team: Team) -> None:
    for name in ("x", "A" * 16, "a%00" * 4, "a" * 17, "%ff" * 16, "%F0%9D%9F%8E" * 16):
        assert owner.get(f"/problems/{name}").status_code == 404


def test_a_viewer_reads_and_changes_nothing(
    owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    refuse(owner, team)
    viewer = colleague("viewer")
    for path in ("/problems", only_group(owner)):
        forms = [form.action for form in open_page(viewer, path).forms if form.action]
        assert forms == ["/sign-out"]


def test_one_code_can_be_picked(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    refuse(owner, team, workflow_slug=team.slug, ended_at=None)
    page = open_page(owner, "/problems?code=workflow_not_found")
    assert len(group_links(page)) == 1
    assert "Workflow not found" in page.text and "ended_at is missing" not in page.text
    assert "No problem with this code" in open_page(owner, "/problems?code=rate_limited").text
    for nonsense in ("?page=x", "?page=-1", "?page=٣"):
        assert len(group_links(open_page(owner, "/problems" + nonsense))) == 2, nonsense
    store_refusals(team, 1, "b" * 16, code="revoked_api_key", errors=None)
    assert only_group(owner, "/problems?code=unauthorized") == f"/problems/{'b' * 16}"
    assert "<option selected>unauthorized</option>" in owner.get("/problems?code=unauthorized").text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("code=nope", "There is no such code"),
        ("show=nope", "Choose one of: open, ignored"),
        ("window=nope", "Choose one of: 24h, 7d"),
        ("code=rate_limited&code=invalid_json", "given more than once"),
    ],
)
def test_a_filter_that_can_not_be_read_is_told_at_its_field(
    owner: FlaskClient, team: Team, query: str, says: str
) -> None:
    refuse(owner, team)
    page = open_page(owner, f"/problems?{query}", 422)
    assert says in page.text and "This filter can't be read" in page.text
    assert page.has_id(f"filter-{query.partition('=')[0]}-error") and not group_links(page)


def test_pages_show_each_group_once_the_last_seen_first(owner: FlaskClient, team: Team) -> None:
    count = 2 * PAGE_SIZE + 3
    for number in range(count):
        store_refusals(team, 1, f"{number:016x}")
    links: list[str] = []
    for number in range(3):
        links += group_links(open_page(owner, f"/problems?page={number + 1}"))
    assert links == [f"/problems/{number:016x}" for number in reversed(range(count))]


def test_what_was_only_counted_is_said_once(owner: FlaskClient, team: Team) -> None:
    refuse(owner, team)
    with writing() as session:
        for age, count in ((1, 1200), (2, 34), (30, 500)):
            session.add(
                UnstoredCount(
                    minute_at=now() - timedelta(hours=age),
                    workspace_id=team.workspace_id,
                    code="rate_limited",
                    count=count,
                )
            )
    assert open_page(owner, "/problems").text.count("1,234 × rate_limited") == 1


def test_each_request_falls_into_its_step(app: Flask, team: Team) -> None:
    scope = [team.workspace_id]
    for age, count in ((200, 1), (100, 2), (23.5, 3), (1.5, 4), (0, 5)):
        store_refusals(team, count, at=now() - timedelta(hours=age))
    fingerprint = "a" * 16
    day = count_by_step([fingerprint], scope, WINDOWS["24h"])[fingerprint]
    assert (day[0], day[22], day[23], sum(day)) == (3, 4, 5, 12)
    week = count_by_step([fingerprint], scope, WINDOWS["7d"])[fingerprint]
    assert (week[11], week[24], week[27], sum(week)) == (2, 3, 9, 14)
    group = find_group(fingerprint, scope, team.workspace_id)
    assert group is not None
    assert (group.count, group.recent) == (15, 12)
    (line,) = describe([group], scope, WINDOWS["24h"])
    assert timedelta(hours=199.9) < now() - line.first_at < timedelta(hours=200.1)


def test_what_was_loaded_later_than_it_came_hides_no_newer_refusal(app: Flask, team: Team) -> None:
    """As a demo of a month does that is loaded into a log in use."""
    scope = [team.workspace_id]
    store_refusals(team, 3, "new", now() - timedelta(minutes=2))
    for hours in (700, 300, 5):
        store_refusals(team, 2, str(hours), now() - timedelta(hours=hours))
    groups = list_groups(scope, team.workspace_id)
    assert [(group.fingerprint, group.recent) for group in groups] == [
        ("new", 3),
        ("5", 2),
        ("300", 0),
        ("700", 0),
    ]
    sparks = count_by_step(["new", "5", "300"], scope, WINDOWS["24h"])
    assert (sparks["new"][23], sparks["5"][18], sum(sparks["300"])) == (3, 2, 0)
    store_refusals(team, 1, "700", now() - timedelta(minutes=1))
    assert list_groups(scope, team.workspace_id)[0].fingerprint == "700"


def test_what_was_mended_does_not_count(app: Flask, team: Team) -> None:
    store_refusals(team, 2)
    store_refusals(team, 3, resolved_at=now())
    assert [group.count for group in list_groups([team.workspace_id], team.workspace_id)] == [2]


def test_hostile_and_long_texts_are_only_text_and_the_page_stays_small(
    owner: FlaskClient, team: Team
) -> None:
    errors = [{"field": HOSTILE + "x" * 80, "code": "missing", "message": HOSTILE, "fix": HOSTILE}]
    for number in range(PAGE_SIZE):
        store_refusals(
            team,
            1,
            f"{number:016x}",
            reference=(HOSTILE + "&" * 255)[:255],
            platform="<b>" * 20,
            errors=errors * 3,
            detail=HOSTILE,
        )
    for path in ("/problems", f"/problems/{0:016x}"):
        answer = owner.get(path)
        assert answer.status_code == 200 and len(answer.data) < MAX_HTML
        page = Page(answer.text)
        assert "<img src=x onerror=alert(1)>⟨U+202E⟩" in page.text
        assert "img" not in {tag for tag, _ in page.tags}


def test_no_look_at_problems_reads_the_whole_log(owner: FlaskClient, team: Team) -> None:
    fill_log(team)
    statements = note_statements(lambda: open_page(owner, "/problems?window=7d"))
    statements += note_statements(lambda: open_page(owner, f"/problems/{1:016x}"))
    of_events = [each for each in statements if "FROM events" in each[0]]
    assert len(of_events) > 8
    for statement, parameters in of_events:
        plan = explain(statement, parameters)
        whole = "SCAN events" if is_sqlite() else "Seq Scan on events"
        scans = [line for line in plan if whole in line and "USING" not in line]
        assert not scans, f"{statement}\n" + "\n".join(plan)
    groups = next(each for each in of_events if "GROUP BY events.fingerprint" in each[0])
    plan = explain(*groups)
    # PostgreSQL may find another index over refused requests cheaper, while there are few.
    index = "ix_events_open_problem" if is_sqlite() else "ix_events_"
    assert any(index in line for line in plan), "\n".join(plan)


def fill_log(team: Team) -> None:
    """More accepted than refused requests, in the proportions that make a plan worth its while."""
    for number in range(40):
        store_refusals(team, 20, f"{number:016x}")
    accepted = {
        "workspace_id": team.workspace_id,
        "received_at": now(),
        "state": "processed",
        "kind": "run-success",
        "method": "POST",
        "path": "/",
        "headers": [],
        "body": b"x" * 300,
        "status": 202,
        "took_ms": 1.0,
    }
    with writing() as session:
        rows = [{"public_id": new_id(), **accepted} for _ in range(4_000)]
        session.execute(insert(Event), rows)
    if not is_sqlite():
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE events"))


def note_statements(act: Callable[[], object]) -> list[tuple[str, Any]]:
    noted: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        noted.append((statement, parameters))

    sqlalchemy_event.listen(db.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        sqlalchemy_event.remove(db.engine, "before_cursor_execute", note)
    return noted


SCAN = re.compile(r"Seq Scan .*\(cost=([\d.]+)\.\.([\d.]+) ")


def explain(statement: str, parameters: Any) -> list[str]:
    """The plan's lines, but for those of partitions that hold no row: nothing is read there."""
    word = "EXPLAIN QUERY PLAN" if is_sqlite() else "EXPLAIN"
    with db.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
    return [str(row[-1]) for row in rows if not reads_nothing(str(row[-1]))]


def reads_nothing(line: str) -> bool:
    """Of a partition without a page: to read one costs 1, beside what it takes to begin."""
    scan = SCAN.search(line)
    return scan is not None and float(scan[2]) - float(scan[1]) < 1


def test_the_reference_is_shown_as_it_was_sent(owner: FlaskClient, team: Team) -> None:
    report(owner, team, workflow_slug="Lead Enrichment")
    refuse(owner, team, workflow_slug="Lead Enrichment")
    assert "Lead Enrichment" in open_page(owner, "/problems").text


@pytest.mark.parametrize("field", ["workflow_id", "workflow_slug"])
def test_a_workflow_that_was_named_by_its_id_is_shown_by_its_name(
    owner: FlaskClient, team: Team, field: str
) -> None:
    named = {"workflow_slug": None, field: team.workflow_public_id}
    refuse(owner, team, ended_at="x", **named)
    event = db.session.scalars(select(Event)).one()
    link = only_group(owner)
    for path in ("/problems", link, "/events", f"/events/{event.public_id}"):
        assert team.name in open_page(owner, path).text, path
    assert "for Lead enrichment" in open_page(owner, "/").text
    shown = open_page(owner, "/problems").text
    assert team.name in shown and team.workflow_public_id not in shown


def test_the_id_of_another_workspace_says_nothing(owner: FlaskClient, team: Team) -> None:
    other = make_team("Secret plans", first=False)
    refuse(owner, team, workflow_slug=None, workflow_id=other.workflow_public_id)
    for path in ("/", "/problems", only_group(owner), "/events"):
        assert "Secret plans" not in open_page(owner, path).text
    assert other.workflow_public_id in open_page(owner, "/problems").text

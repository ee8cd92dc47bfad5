"""The connect wizard: its steps in the address, the key that is shown once, and what it hears."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.console.listening import Watch
from app.console.reachability import describe_reach
from app.console.snippets import TOOLS
from app.extensions import db
from app.ingest.service import ingest_service
from app.models import ApiKey, Workflow
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team, report

HTMX = {"HX-Request": "true"}
WRONG_KEY = "fp_" + "0" * 36


def settle(client: FlaskClient, team: Team, tool: str = "python", **more: str) -> str:
    """The address of the page once tool and workflow are chosen."""
    query = {"tool": tool, "workflow": team.workflow_public_id, **more}
    answer = client.get("/connect", query_string=query)
    assert answer.status_code == 302
    return str(answer.location)


def listen_address(client: FlaskClient, address: str) -> str:
    page = open_page(client, address)
    return next(link for link in page.links if link.startswith("/connect/listen"))


def listen(client: FlaskClient, address: str) -> Any:
    """Once. Refused requests are written by themselves, within moments; a test does not wait."""
    ingest_service().recorder.flush()
    return client.get(address, headers=HTMX)


def next_address(answer: Any) -> str:
    links = Page(answer.text).links
    return next(link for link in links if link.startswith("/connect/listen"))


# --- the steps ------------------------------------------------------------------------------------


def test_the_first_step_offers_every_tool(owner: FlaskClient) -> None:
    page = open_page(owner, "/connect")
    for tool in TOOLS.values():
        assert f"/connect?tool={tool.name}" in page.links
        assert tool.label in page.text


def test_one_may_pick_a_workflow_or_create_one(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, "/connect?tool=n8n")
    values = [values["value"] for tag, values in page.tags if tag == "option"]
    assert values == [team.workflow_public_id]
    sent = send_form(
        owner, "/connect?tool=n8n", "/connect/workflow?tool=n8n", name="Nightly import"
    )
    assert sent.status_code == 303
    assert urlsplit(sent.location).path == "/connect"
    made = db.session.query(Workflow).filter_by(slug="nightly-import").one()
    query = parse_qs(urlsplit(sent.location).query)
    assert query == {"tool": ["n8n"], "workflow": [made.public_id]}


def test_a_name_that_is_taken_is_refused_at_its_field(owner: FlaskClient, team: Team) -> None:
    sent = send_form(owner, "/connect?tool=n8n", "/connect/workflow?tool=n8n", name=team.name)
    assert sent.status_code == 422
    assert Page(sent.text).has_id("new-workflow-error")


def test_archived_workflows_are_not_offered_and_many_can_be_searched(
    owner: FlaskClient, team: Team
) -> None:
    gone = create_workflow(team.workspace_id, "Gone")
    archive_workflow(gone)
    for number in range(101):
        create_workflow(team.workspace_id, f"Copy {number}")
    page = open_page(owner, "/connect?tool=n8n")
    options = [tag for tag, _ in page.tags if tag == "option"]
    assert len(options) == 100
    assert "Gone" not in page.text
    found = open_page(owner, "/connect?tool=n8n&find=enrich")
    values = [values["value"] for tag, values in found.tags if tag == "option"]
    assert values == [team.workflow_public_id]
    assert "No workflow in use has" in open_page(owner, "/connect?tool=n8n&find=%25").text


def test_the_page_keeps_since_when_it_listens_in_its_address(
    owner: FlaskClient, team: Team
) -> None:
    report(owner, team)
    address = settle(owner, team)
    query = parse_qs(urlsplit(address).query)
    assert int(query["after"][0]) > 0
    assert abs(int(query["at"][0]) - clock.now().timestamp()) < 60
    assert open_page(owner, address).form(
        f"/connect/key?tool=python&workflow={team.workflow_public_id}"
        f"&after={query['after'][0]}&at={query['at'][0]}"
    )


def test_the_key_is_shown_once_in_the_snippet_and_nowhere_else(
    owner: FlaskClient, team: Team
) -> None:
    address = settle(owner, team)
    form = next(
        form for form in open_page(owner, address).forms if form.action.startswith("/connect/key")
    )
    assert form.fields["name"] == f"Python: {team.name}"
    answer = owner.post(form.action, data=form.fields)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    made = db.session.query(ApiKey).filter_by(name=f"Python: {team.name}").one()
    assert made.scopes == "ingest"
    key = next(word.strip('"') for word in Page(answer.text).text.split() if made.prefix in word)
    assert f'KEY = "{key}"' in Page(answer.text).text
    assert not [link for link in Page(answer.text).links if key in link]
    assert key not in "".join(value for _, value in answer.headers)
    assert key not in owner.get(address).text
    again = next(
        form for form in open_page(owner, address).forms if form.action.startswith("/connect/key")
    )
    assert again.fields["name"] == f"Python: {team.name} 2"
    taken = owner.post(again.action, data={**again.fields, "name": made.name})
    assert taken.status_code == 422
    assert Page(taken.text).has_id("key-name-error")


@pytest.mark.parametrize("tool", TOOLS)
def test_who_has_a_key_sees_the_snippet_with_a_stand_in(
    owner: FlaskClient, team: Team, tool: str
) -> None:
    answer = owner.get(settle(owner, team, tool, key="own"))
    text = Page(answer.text).text
    assert "fp_your_key" in text
    assert "http://localhost/api/v1/" in text
    assert team.slug in text
    assert len(answer.data) < 100_000


def test_a_viewer_reads_the_snippet_but_creates_nothing(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    viewer = colleague("viewer")
    page = open_page(viewer, settle(viewer, team))
    assert [form.action for form in page.forms if form.action] == ["/sign-out"]
    assert "fp_your_key" in page.text
    assert "Your role may not create keys" in page.text
    actions = {form.action for form in open_page(viewer, "/connect?tool=n8n").forms if form.action}
    assert actions == {"/connect", "/sign-out"}


def test_another_workspace_and_nonsense_lead_nowhere(owner: FlaskClient, team: Team) -> None:
    other = make_team("Secret plans", first=False)
    for workflow in (other.workflow_public_id, "x", "a" * 24, "%00"):
        for path in ("/connect", "/connect/listen"):
            assert owner.get(f"{path}?tool=n8n&workflow={workflow}&after=0&at=0").status_code == 404
    assert owner.get("/connect?tool=nonsense").status_code == 200
    assert owner.get("/connect?tool=n8n&find=a%00b").status_code == 200
    assert owner.get("/connect/listen").status_code == 302
    for query in ("after=x&at=1", "after=-1&at=1", "after=1&at=9" + "9" * 30, "after=²&at=1"):
        path = f"/connect?tool=n8n&workflow={team.workflow_public_id}&{query}"
        assert owner.get(path).status_code == 302, query


def test_a_far_away_start_is_survived(owner: FlaskClient, team: Team) -> None:
    path = f"/connect?tool=n8n&workflow={team.workflow_public_id}"
    for query in ("after=9999999999999999999&at=9999999999999999999", "after=0&at=0"):
        assert owner.get(f"{path}&{query}").status_code == 200, query


# --- what it hears --------------------------------------------------------------------------------


def test_both_ticks_turn_green_and_then_it_stops_asking(owner: FlaskClient, team: Team) -> None:
    report(owner, team)
    before = report(owner, team, "failure").json["event_id"]
    address = listen_address(owner, settle(owner, team, key="own"))
    assert listen(owner, address).status_code == 204
    success = report(owner, team).json["event_id"]
    heard = listen(owner, address)
    assert f"/events/{success}" in Page(heard.text).links
    assert f"/events/{before}" not in heard.text
    assert "The first success has come." in heard.text
    address = next_address(heard)
    assert listen(owner, address).status_code == 204
    report(owner, team)
    assert listen(owner, address).status_code == 204, "Only the first is of interest"
    failure = report(owner, team, "failure").json["event_id"]
    heard = listen(owner, address)
    assert {f"/events/{success}", f"/events/{failure}"} <= set(Page(heard.text).links)
    assert "hx-get" not in heard.text
    assert "Connected" in Page(heard.text).text


def test_only_this_workflow_and_only_real_senders_count(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team, workflow_slug=other.slug)
    test = send_form(
        owner,
        "/docs",
        "/docs/try/run-success",
        body=json.dumps({"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}),
    )
    assert test.status_code == 200
    assert listen(owner, address).status_code == 204


def test_a_refused_try_is_explained_right_there(owner: FlaskClient, team: Team) -> None:
    address = listen_address(owner, settle(owner, team, key="own"))
    sent = report(owner, team, workflow_slug="led-enrichment").json["event_id"]
    report(owner, team, ended_at=None, endedAt="2026-01-15T09:31:00Z")
    heard = Page(listen(owner, address).text)
    assert "Workflow not found" in heard.text
    assert "Did you mean workflow_slug 'lead-enrichment'" in heard.text
    assert "rename it to ended_at" in heard.text
    assert f"/events/{sent}" in heard.links
    assert "/troubleshooting#workflow_not_found" in heard.links
    assert "/troubleshooting#missing" in heard.links


def test_the_same_refusal_again_is_shown_once_with_its_count(
    owner: FlaskClient, team: Team
) -> None:
    address = listen_address(owner, settle(owner, team, key="own"))
    for _ in range(3):
        report(owner, team, workflow_slug="nothing-like-it")
    text = listen(owner, address).text
    assert text.count("Refused: ") == 1
    assert "3 times, last" in Page(text).text


def test_a_refused_try_of_another_workflow_is_not_ours(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team, workflow_slug=other.slug, ended_at="yesterday")
    assert listen(owner, address).status_code == 204
    report(owner, team, ended_at="yesterday")
    assert "yesterday" in listen(owner, address).text


def test_unknown_keys_are_shown_to_the_owner_of_the_server_alone(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    member = colleague("member")
    addresses = {
        client: listen_address(client, settle(client, team, key="own"))
        for client in (owner, member)
    }
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    owner.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": WRONG_KEY})
    assert "API key" in listen(owner, addresses[owner]).text
    assert listen(member, addresses[member]).status_code == 204


def test_texts_of_senders_stay_texts(owner: FlaskClient, team: Team) -> None:
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team, workflow_slug="<img src=x onerror=alert(1)>")
    report(owner, team, ended_at="<script>alert(1)</script>\u202e")
    text = listen(owner, address).text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "<img" not in text
    assert "\u202e" not in text


def test_after_a_minute_of_silence_it_gives_hints(owner: FlaskClient, team: Team) -> None:
    address = listen_address(owner, settle(owner, team, key="own"))
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    query["at"] = str(int(query["at"]) - 61)
    heard = owner.get("/connect/listen", query_string=query, headers=HTMX)
    assert "Nothing has come for a minute" in heard.text
    assert listen(owner, next_address(heard)).status_code == 204
    report(owner, team)
    assert "Nothing has come" not in listen(owner, next_address(heard)).text


def test_without_javascript_check_again_leads_back_to_the_page(
    owner: FlaskClient, team: Team
) -> None:
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team)
    answer = owner.get(address)
    assert answer.status_code == 302
    assert answer.location.endswith("#listen")
    assert "Came" in open_page(owner, answer.location.partition("#")[0]).text


def test_a_listener_that_falls_far_behind_is_brought_up(
    owner: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each look would go over all that has come since the page was opened."""
    other = create_workflow(team.workspace_id, "Busy")
    address = listen_address(owner, settle(owner, team, key="own"))
    monkeypatch.setattr("app.console.listening._FAR_BEHIND", 2)
    for _ in range(3):
        report(owner, team, workflow_slug=other.slug)
    heard = listen(owner, address)
    assert heard.status_code == 200
    query = parse_qs(urlsplit(next_address(heard)).query)
    assert int(query["seen"][0]) - int(query["after"][0]) == 3


def test_the_longest_look_back_is_a_day(app: Flask) -> None:
    assert (clock.now() - Watch(0, 0, 0).opened_at).total_seconds() <= 86_401
    assert Watch(0, 2**62, 0).opened_at <= clock.now()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://localhost:8000", "machine itself"),
        ("http://127.0.0.1", "machine itself"),
        ("http://[::1]:8000", "machine itself"),
        ("http://192.168.1.5:8000", "private"),
        ("http://10.0.0.1", "private"),
        ("http://flowpulse:8000", "private"),
        ("http://nas.local", "private"),
        ("https://flow.example.org", None),
        ("http://93.184.216.34", None),
    ],
)
def test_an_address_that_others_cannot_reach_is_said_to_be_one(
    address: str, says: str | None
) -> None:
    reach = describe_reach(address)
    assert (says in reach) if says and reach else reach is says


def test_the_page_says_at_once_that_a_cloud_cannot_reach_this_machine(
    owner: FlaskClient, team: Team, app: Flask
) -> None:
    address = settle(owner, team, "make", key="own")
    assert "Make runs in its maker's cloud and can't reach it" in open_page(owner, address).text
    app.config["FLOWPULSE_PUBLIC_URL"] = "https://flow.example.org"
    page = open_page(owner, address)
    assert "can't reach it" not in page.text
    assert "https://flow.example.org/api/v1/ingest/run-success" in page.text

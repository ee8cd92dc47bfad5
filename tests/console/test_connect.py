"""The connect wizard: its steps in the address, the key that is shown once, and what it hears."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
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
from app.keys import make_key
from app.models import SCOPES, ApiKey, Workflow
from app.workspaces.api_keys import MAX_NAME, create_api_key, find_by_secret, revoke_api_key
from app.workspaces.workflows import archive_workflow, create_workflow
from tests.console.pages import Form, Page, open_page, send_form
from tests.factories import Team, make_team, report, success
from tests.sessions import make_client

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


def test_a_key_name_that_is_cut_ends_with_no_space(owner: FlaskClient, team: Team) -> None:
    name = "x" * (MAX_NAME - 5 - len("Python: ") - 1) + " and more"
    workflow = create_workflow(team.workspace_id, name)
    address = settle(owner, replace(team, workflow_public_id=workflow.public_id))
    fields = [values for tag, values in open_page(owner, address).tags if tag == "input"]
    (proposed,) = [values["value"] for values in fields if values.get("name") == "name"]
    assert proposed == f"Python: {name.removesuffix(' and more')}"


def test_a_key_is_named_in_short(owner: FlaskClient, team: Team) -> None:
    assert key_form(owner, settle(owner, team, "http")).fields["name"] == f"HTTP: {team.name}"


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


def test_a_second_press_goes_on_with_the_workflow_that_is_there(
    owner: FlaskClient, team: Team
) -> None:
    address = "/connect/workflow?tool=n8n"
    sent = send_form(owner, "/connect?tool=n8n", address, name=f" {team.name} ")
    assert sent.status_code == 303
    assert team.workflow_public_id in sent.location
    page = open_page(owner, owner.get(sent.location).location)
    assert f"The workflow “{team.name}” is there already" in page.text
    assert db.session.query(Workflow).count() == 1
    unfit = send_form(owner, "/connect?tool=n8n", address, name="n" * 121)
    assert unfit.status_code == 422
    assert Page(unfit.text).has_id("new-workflow-error")


def test_the_address_of_a_forms_answer_leads_back_to_the_wizard(
    owner: FlaskClient, team: Team
) -> None:
    address = settle(owner, team)
    action = key_form(owner, address).action
    for part in ("workflow", "key", "tool"):
        answer = owner.get(f"/connect/{part}?{urlsplit(address).query}")
        assert answer.status_code == 302
        assert open_page(owner, answer.location).form(action), "It stands where it stood"
        assert owner.get(f"/connect/{part}").location == "/connect"


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


def key_form(client: FlaskClient, address: str) -> Form:
    forms = open_page(client, address).forms
    return next(form for form in forms if form.action.startswith("/connect/key"))


def create_key(client: FlaskClient, team: Team, address: str) -> tuple[Any, str]:
    """The answer to the wizard's form, and the key that stands in it."""
    form = key_form(client, address)
    answer = client.post(form.action, data=form.fields)
    return answer, answer.text.split('id="new-key">')[1][:39]


def test_the_key_is_shown_once_in_the_snippet_and_nowhere_else(
    owner: FlaskClient, team: Team
) -> None:
    address = settle(owner, team)
    assert key_form(owner, address).fields["name"] == f"Python: {team.name}"
    answer, key = create_key(owner, team, address)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    made = db.session.query(ApiKey).filter_by(name=f"Python: {team.name}").one()
    assert made.scope_names == SCOPES and key.startswith(made.prefix)
    page = Page(answer.text)
    assert f'KEY = os.environ.get("FLOWPULSE_API_KEY") or "{key}"' in page.text
    assert not [link for link in page.links if key in link]
    assert not [form.action for form in page.forms if key in form.action]
    assert key not in "".join(value for _, value in answer.headers)
    assert key not in owner.get(address).text
    assert key_form(owner, address).fields["name"] == f"Python: {team.name} 2"


def test_the_key_reads_as_well_unless_that_is_unticked(owner: FlaskClient, team: Team) -> None:
    address = settle(owner, team)
    form = key_form(owner, address)
    assert form.fields["scope"] == ["read"]
    assert "It may also read" in open_page(owner, address).text
    fields = {name: value for name, value in form.fields.items() if name != "scope"}
    assert owner.post(form.action, data={**fields, "name": "Reports"}).status_code == 200
    assert db.session.query(ApiKey).filter_by(name="Reports").one().scope_names == ("ingest",)
    refused = owner.post(form.action, data={**fields, "name": "n" * 121})
    again = next(each for each in Page(refused.text).forms if each.action == form.action)
    assert refused.status_code == 422 and "scope" not in again.fields


def test_the_shown_key_goes_along_to_every_other_tool(
    owner: FlaskClient, team: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    answer, key = create_key(owner, team, settle(owner, team))
    for tool in TOOLS:
        page = Page(answer.text)
        form = next(form for form in page.forms if form.action.startswith("/connect/tool"))
        assert key not in form.action
        answer = owner.post(form.action, data={**form.fields, "tool": tool}, headers=HTMX)
        assert answer.headers["Cache-Control"] == "no-store"
        assert key in answer.text and "fp_your_key" not in answer.text
        reload = next(v["data-address"] for _, v in Page(answer.text).tags if "data-address" in v)
        assert f"tool={tool}" in reload and key not in reload
        reloaded = open_page(owner, reload)
        assert "It was shown once" in reloaded.text and key not in reloaded.text
        assert not [form for form in reloaded.forms if form.action.startswith("/connect/key")]
    assert db.session.query(ApiKey).filter(ApiKey.name.contains(team.name)).count() == 1
    wrong = owner.post(form.action, data={**form.fields, "key": make_key(), "tool": "n8n"})
    assert wrong.status_code == 303 and urlsplit(wrong.location).path == "/connect"
    viewer = colleague("viewer")
    token = open_page(viewer, "/").form("/sign-out").fields
    assert viewer.post(form.action, data={**token, "key": key}).status_code == 403


def test_a_second_press_goes_on_with_the_key_that_is_there(owner: FlaskClient, team: Team) -> None:
    address = settle(owner, team)
    form = key_form(owner, address)
    create_key(owner, team, address)
    again = owner.post(form.action, data=form.fields)
    assert again.status_code == 303
    page = open_page(owner, again.location)
    assert f"The key “Python: {team.name}” is there already" in page.text
    assert "It was shown once" in page.text and "fp_your_key" in page.text
    assert db.session.query(ApiKey).count() == 2
    other = owner.post(form.action, data={**form.fields, "name": "n8n-prod"})
    assert other.status_code == 422, "That one nobody has just made here"
    assert Page(other.text).has_id("key-name-error")


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


def test_what_is_not_shown_of_many_refusals_is_counted_and_a_click_away(
    owner: FlaskClient, team: Team
) -> None:
    answer, key = create_key(owner, team, settle(owner, team))
    address = next_address(answer)
    ended = ("a", "b", "c", "d", "e", "f", "f")
    for value in reversed(ended):
        body = {**success(team), "ended_at": value}
        owner.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": key})
    ingest_service().recorder.flush()
    heard = Page(listen(owner, address).text)
    assert heard.text.count("Refused: ") == 5
    assert "And 2 older refused tries of other kinds" in heard.text
    key_id = re.search("key=([a-z0-9]+)", address)
    assert key_id and f"/events?state=rejected&key={key_id[1]}" in heard.links


def test_a_refused_try_of_another_workflow_is_not_ours(owner: FlaskClient, team: Team) -> None:
    other = create_workflow(team.workspace_id, "Invoice sync")
    address = listen_address(owner, settle(owner, team, key="own"))
    report(owner, team, workflow_slug=other.slug, ended_at="yesterday")
    assert listen(owner, address).status_code == 204
    report(owner, team, ended_at="yesterday")
    assert "yesterday" in listen(owner, address).text


def test_only_the_wizards_key_ticks_and_what_else_came_is_said(
    owner: FlaskClient, team: Team
) -> None:
    answer, key = create_key(owner, team, settle(owner, team))
    address = next_address(answer)
    ours = {"X-API-Key": key}
    assert listen(owner, address).status_code == 204
    other = report(owner, team).json["event_id"]
    heard = listen(owner, address)
    assert "First success Let the automation run once." in Page(heard.text).text
    assert "A report came with another key" in heard.text and "“n8n-prod”" in heard.text
    assert f"/events/{other}" in heard.text
    address = next_address(heard)
    report(owner, team, "failure")
    assert listen(owner, address).status_code == 204
    body = success(team)
    tick = owner.post("/api/v1/ingest/run-success", json=body, headers=ours).json["event_id"]
    heard = listen(owner, address)
    assert f"/events/{tick}" in heard.text and "The first success has come." in heard.text
    elsewhere = create_workflow(team.workspace_id, "Invoice sync")
    address = listen_address(owner, settle(owner, team, key=key_id(key)))
    strayed = {**body, "workflow_slug": elsewhere.slug}
    owner.post("/api/v1/ingest/run-success", json=strayed, headers=ours)
    assert "and went to “Invoice sync”" in Page(listen(owner, address).text).text


def key_id(key: str) -> str:
    made = find_by_secret(db.session.query(Workflow).first().workspace_id, key)
    assert made is not None
    return made.public_id


def test_refused_tries_of_other_senders_are_not_shown_as_ours(
    owner: FlaskClient, team: Team
) -> None:
    answer, key = create_key(owner, team, settle(owner, team))
    address, ours = next_address(answer), {"X-API-Key": key}
    old, old_key = create_api_key(team.workspace_id, "Old")
    revoke_api_key(old)
    create_workflow(team.workspace_id, "Invoice sync")
    url = "/api/v1/ingest/run-success"
    report(owner, team, ended_at="yesterday")
    report(owner, team, workflow_slug="nothing-like-it")
    owner.post(url, json={**success(team), "workflow_slug": "invoice-sync"})
    owner.post(url, json={**success(team), "workflow_slug": f"{team.slug}-2"})
    owner.post(url, json={"workflow_slug": "else"}, headers={"X-API-Key": old_key})
    assert listen(owner, address).status_code == 204, "Other keys, and no word of this workflow"
    owner.post(url, json=success(team))
    heard = listen(owner, address)
    assert "Refused: No API key" in heard.text
    assert "It came without the key that this page listens for" in heard.text
    owner.post(url, json=success(team), headers={"X-API-Key": old_key})
    heard = listen(owner, next_address(heard))
    assert "Refused: The API key was revoked" in heard.text
    owner.post(url, json={"workflow_slug": "invoice-sync"}, headers=ours)
    heard = listen(owner, next_address(heard))
    assert "Refused: Validation failed" in heard.text, "With our key, whatever it names"
    assert heard.text.count("Refused: ") == 3


def test_who_has_a_key_may_say_which(owner: FlaskClient, team: Team) -> None:
    page = open_page(owner, settle(owner, team, key="own"))
    assert "whichever key it comes with" in page.text
    (chosen,) = (v["value"] for tag, v in page.tags if tag == "option")
    page = open_page(owner, settle(owner, team, key=str(chosen)))
    assert "Each report with the key “n8n-prod” shows up here" in page.text


def test_requests_with_unknown_keys_are_shown_to_the_owner_of_the_server_alone(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    member = colleague("member")
    addresses = {
        client: listen_address(client, settle(client, team, key="own"))
        for client in (owner, member)
    }
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    owner.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": WRONG_KEY})
    heard = listen(owner, addresses[owner]).text
    assert "The API key is mistyped" in heard and "Open the request" in heard
    assert listen(member, addresses[member]).status_code == 204
    by_id = {**body, "workflow_slug": None, "workflow_id": team.workflow_public_id}
    owner.post("/api/v1/ingest/run-success", json=by_id, headers={"X-API-Key": WRONG_KEY})
    heard = listen(member, addresses[member]).text
    assert "The API key is mistyped" in heard, "Nobody else knows the workflow's id"
    assert "Open the request" not in heard


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
    client = make_client(app, team.email, "flow.example.org")
    page = Page(client.get(address, headers={"Host": "flow.example.org"}).text)
    assert "can't reach it" not in page.text
    assert "https://flow.example.org/api/v1/ingest/run-success" in page.text

"""Edit and resend, reprocess, and the buttons of each code, as a browser without scripts does."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.console.fixes import FIXES
from app.console.test_events import make_attempts
from app.console.test_kinds import TESTS
from app.extensions import db, writing
from app.ingest.attempts import send as send_attempt
from app.ingest.service import ingest_service
from app.models import ApiKey, Event, Workflow
from app.problems import PROBLEMS
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from tests.console.pages import Page, open_page, send_form, submit
from tests.factories import Team, report
from tests.server import wait_for

RECENT = "2026-11-24T03:00:00Z"


def refuse(client: FlaskClient, team: Team, **fields: Any) -> str:
    """The path of the page of a refused request."""
    answer = report(client, team, **fields)
    event_id = answer.json["event_id"]
    ingest_service().recorder.flush()
    wait_for(lambda: find(event_id) is not None)
    return f"/events/{event_id}"


def find(event_id: str) -> Event | None:
    db.session.rollback()
    return db.session.scalar(select(Event).where(Event.public_id == event_id))


def token(client: FlaskClient, path: str) -> dict[str, Any]:
    return open_page(client, path).form("/sign-out").fields


def actions(page: Page) -> set[str]:
    return {form.action.split("/")[-1] for form in page.forms}


def test_every_code_with_buttons_is_in_the_table() -> None:
    assert set(FIXES) <= set(PROBLEMS)


def test_a_refused_request_is_edited_sent_again_and_solved(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, ended_at=None, endedAt=RECENT)
    page = open_page(owner, path)
    assert "endedAt is called ended_at." in page.text
    assert f"{path}/resend" in page.links
    form = open_page(owner, f"{path}/resend")
    assert f'"ended_at": "{RECENT}"' in form.text and "It would be accepted" in form.text
    body = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT})
    sent = send_form(owner, f"{path}/resend", body=body, kind="run-success", workflow="", do="send")
    assert sent.status_code == 303
    page = open_page(owner, sent.headers["Location"])
    assert f"edited and sent again by {team.email}" in page.text and path in page.links
    page = open_page(owner, path)
    assert "a later attempt was accepted" in page.text
    assert sent.headers["Location"] in page.links


def test_a_correction_that_will_do_is_sent_with_one_click(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, ended_at=None, endedAt=RECENT)
    page = open_page(owner, path)
    assert "This is the body that would be accepted." in page.text
    assert "Send the corrected request" in page.text
    form = page.form(f"{path}/resend")
    first, second = (owner.post(form.action, data={**form.fields, "do": "send"}) for _ in range(2))
    assert first.status_code == 303 and first.location == second.location
    event = find(first.location.rsplit("/", 1)[1])
    assert event is not None and event.state == "accepted" and event.sent_by == team.email
    assert json.loads(event.body)["ended_at"] == RECENT
    assert "Send the corrected request" not in open_page(owner, path).text


def test_a_correction_that_will_not_do_is_only_to_be_edited(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, ended_at=None, endedAt="some day")
    page = open_page(owner, path)
    assert "Send the corrected request" not in page.text and f"{path}/resend" in page.links


@pytest.mark.parametrize("is_good", [True, False])
def test_a_form_that_is_sent_twice_makes_one_event_and_shows_it_twice(
    owner: FlaskClient, team: Team, is_good: bool
) -> None:
    path = refuse(owner, team, ended_at="yesterday")
    form = open_page(owner, f"{path}/resend").form(f"{path}/resend")
    body = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT if is_good else "never"})
    typed = {**form.fields, "body": body, "kind": "run-success", "workflow": "", "do": "send"}
    first, second = (owner.post(form.action, data=typed) for _ in range(2))
    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    text = "The request was accepted" if is_good else "The request was refused again"
    assert text in open_page(owner, second.location).text
    assert len(db.session.scalars(select(Event)).all()) == 2
    edited = owner.post(form.action, data={**typed, "body": body + " "})
    assert edited.location != first.location


def test_what_a_person_sends_again_is_theirs_and_not_the_senders(
    owner: FlaskClient, team: Team
) -> None:
    body = json.dumps({"workflow_slug": team.slug, "ended_at": "yesterday"})
    headers = {**team.headers, "User-Agent": "curl/8.5.0", "Content-Type": "application/json"}
    refused = owner.post("/api/v1/ingest/run-success", data=body, headers=headers)
    ingest_service().recorder.flush()
    path = f"/events/{refused.json['event_id']}"
    assert "from curl" in open_page(owner, path).text
    body = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT})
    values = {"body": body, "kind": "run-success", "workflow": "", "do": "send"}
    sent = send_form(owner, f"{path}/resend", **values)
    page = open_page(owner, sent.location)
    assert "from curl" not in page.text and f"by {team.email}" in page.text
    event = find(sent.location.rsplit("/", 1)[1])
    assert event is not None
    assert (event.platform, event.user_agent) == (None, None)
    assert {name for name, _ in event.headers} <= {"Content-Type", "Content-Length"}


def test_each_form_sends_an_event_of_its_own(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, ended_at="yesterday")
    body = json.dumps({"workflow_slug": team.slug, "ended_at": RECENT})
    values = {"body": body, "kind": "run-success", "workflow": "", "do": "send"}
    sent = [send_form(owner, f"{path}/resend", **values).location for _ in range(2)]
    assert len(set(sent)) == 2


def test_check_explains_and_sends_nothing(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, ended_at="yesterday")
    checked = send_form(
        owner, f"{path}/resend", body='{"ended_at": 1768469460,}', kind="run-failure", do="check"
    )
    page = Page(checked.text)
    assert checked.status_code == 200
    assert "It would be refused: The body is not valid JSON" in page.text
    assert "The comma too many is gone." in page.text
    assert page.has_id("place-1") and page.has_id("verdict")
    assert len(db.session.scalars(select(Event)).all()) == 1


def test_another_workflow_can_be_chosen_for_the_resent_body(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, workflow_slug="nope")
    body = json.dumps({"workflow_slug": "nope", "workflow_name": "x", "ended_at": RECENT})
    values = {"kind": "run-success", "workflow": team.workflow_public_id, "do": "send"}
    sent = send_form(owner, f"{path}/resend", body=body, **values)
    event = find(sent.headers["Location"].rsplit("/", 1)[1])
    assert event is not None and event.state == "accepted"
    assert json.loads(event.body) == {"workflow_id": team.workflow_public_id, "ended_at": RECENT}


def test_a_resent_body_that_is_refused_again_is_an_attempt_too(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at="yesterday")
    sent = send_form(owner, f"{path}/resend", body="{}", kind="run-success", do="send")
    page = open_page(owner, sent.headers["Location"])
    assert "The request was refused again" in page.text
    first = find(path.rsplit("/", 1)[1])
    assert first is not None and first.resolved_at is None


def long_metadata() -> dict[str, str]:
    return {f"key_{number:04}": "<é&>" * 3 for number in range(1_200)}


def test_a_usual_body_is_edited_whole_with_the_correction_filled_in(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at=None, endedAt=RECENT, metadata={"text": '"a" < b &amp; c'})
    page = open_page(owner, f"{path}/resend")
    assert '"text": "\\"a\\" < b &amp; c"' in page.text and f'"ended_at": "{RECENT}"' in page.text
    assert "Download it" not in page.text


def test_a_body_too_long_to_edit_is_sent_as_it_is_kept_with_the_corrections(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at=None, endedAt=RECENT, metadata=long_metadata())
    page = open_page(owner, f"{path}/resend")
    assert "too long to be edited here" in page.text
    assert "endedAt is called ended_at." in page.text and "It would be accepted" in page.text
    values = {"body": "", "kind": "run-success", "workflow": ""}
    checked = send_form(owner, f"{path}/resend", **values, do="check")
    assert "It would be accepted" in checked.text and "too long to be edited here" in checked.text
    sent = send_form(owner, f"{path}/resend", **values, do="send")
    event = find(sent.location.rsplit("/", 1)[1])
    assert event is not None and event.state == "accepted"
    assert json.loads(event.body)["metadata"] == long_metadata()


def test_a_body_too_long_to_edit_is_downloaded_as_it_would_be_sent_and_pasted_changed(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at=None, endedAt=RECENT, metadata=long_metadata())
    page = open_page(owner, f"{path}/resend")
    download = owner.get(next(link for link in page.links if link.endswith("/resend/body")))
    assert "attachment" in download.headers["Content-Disposition"]
    draft = json.loads(download.data)
    assert draft["ended_at"] == RECENT and draft["metadata"] == long_metadata()
    body = json.dumps({**draft, "workflow_slug": "nope", "metadata": {"n": "&" * 60_000}})
    values = {"body": body, "kind": "run-success", "workflow": ""}
    checked = send_form(owner, f"{path}/resend", **values, do="check")
    assert "It would be refused" in checked.text
    assert "&amp;" * 60_000 in checked.text, "What was typed is not lost"
    quick = {"environ_overrides": {"HTTP_HX_REQUEST": "true"}}
    checked = send_form(owner, f"{path}/resend", **values, **quick, do="check")
    assert "It would be refused" in checked.text and len(checked.data) < 100_000
    named = {**values, "workflow": team.workflow_public_id}
    sent = send_form(owner, f"{path}/resend", **named, do="send")
    event = find(sent.location.rsplit("/", 1)[1])
    assert event is not None and event.state == "accepted"
    assert json.loads(event.body)["metadata"] == {"n": "&" * 60_000}


def test_of_many_findings_the_first_are_shown_and_the_others_counted(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at="never", **{f"unknown_{n:02}": n for n in range(18)})
    page = open_page(owner, f"{path}/resend")
    assert "18 warnings" in page.text and "and 8 more" in page.text
    assert "unknown_09 is not" in page.text and "unknown_10 is not" not in page.text


def test_a_body_that_is_kept_in_part_says_so_before_it_is_sent(
    owner: FlaskClient, team: Team
) -> None:
    path = refuse(owner, team, ended_at="never", error_message="x" * 100_000)
    assert "Only the first 64 KB of " in open_page(owner, f"{path}/resend").text


def test_a_missing_workflow_is_created_and_all_requests_run_again(
    owner: FlaskClient, team: Team
) -> None:
    paths = [refuse(owner, team, workflow_slug="new-flow") for _ in range(3)]
    page = open_page(owner, paths[0])
    form = page.form(f"{paths[0]}/create-workflow")
    assert (form.fields["name"], form.fields["slug"]) == ("New flow", "new-flow")
    assert send_form(owner, paths[0], f"{paths[0]}/create-workflow").status_code == 303
    page = open_page(owner, paths[0])
    assert "Next: reprocess what was refused" in page.text
    assert "Under today's rules this request would be accepted" in page.text
    assert "create-workflow" not in actions(page)
    assert owner.post(form.action, data=form.fields).status_code == 303, "A second press"
    assert "“New flow” is there already. Next: reprocess" in open_page(owner, paths[0]).text
    assert send_form(owner, paths[0], f"{paths[0]}/reprocess-all").status_code == 303
    page = open_page(owner, paths[0])
    assert "3 requests reprocessed and accepted." in page.text and "Solved" in page.text
    assert not {"reprocess", "reprocess-all", "create-workflow"} & actions(page)


def test_a_taken_name_is_told_at_its_field(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, workflow_slug="new-flow")
    answer = send_form(owner, path, f"{path}/create-workflow", name=team.name)
    assert answer.status_code == 422
    assert f"Another workflow has the name {team.name}" in Page(answer.text).text


def test_it_was_another_workflow(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, team, workflow_slug="lead-enrichmnt")
    page = open_page(owner, path)
    assert "It was lead-enrichment" in page.text
    answer = send_form(owner, path, f"{path}/reprocess", instead=team.workflow_public_id)
    assert "reprocessed and accepted" in open_page(owner, answer.headers["Location"]).text


@pytest.mark.parametrize(
    "named",
    [
        {"workflow_id": "lead-enrichment", "workflow_slug": None},
        {"workflow_slug": "Lead-Enrichment"},
        {"workflow_slug": "lead_enrichment"},
        {"workflow_slug": "lead ENRICHMENT"},
    ],
)
def test_what_names_a_workflow_in_another_way_leads_to_it_and_no_fix_is_bound_to_fail(
    owner: FlaskClient, team: Team, named: dict[str, str | None]
) -> None:
    path = refuse(owner, team, **named)
    page = open_page(owner, path)
    first = next(form for form in page.forms if form.action.startswith(path))
    assert first.action == f"{path}/reprocess"
    assert first.fields["instead"] == team.workflow_public_id
    assert primary_buttons(page) == ["submit"]
    assert send_form(owner, path, f"{path}/create-workflow").status_code == 303
    made = db.session.scalars(select(Workflow).order_by(Workflow.id.desc())).first()
    assert made is not None and made.slug == "lead-enrichment-2"


@pytest.mark.parametrize(
    ("named", "first"),
    [
        ("lead-enrichmnt", "reprocess"),
        ("Lead enrichmet", "reprocess"),
        ("lead-enrichment-2", "create-workflow"),
        ("lead-scoring", "create-workflow"),
    ],
)
def test_the_fix_for_a_misspelt_workflow_leads_and_another_number_is_another_one(
    owner: FlaskClient, team: Team, named: str, first: str
) -> None:
    path = refuse(owner, team, workflow_slug=named)
    page = open_page(owner, path)
    form = next(form for form in page.forms if form.action.startswith(path))
    assert form.action == f"{path}/{first}"
    assert ("spelt nearly so" in page.text) == (first == "reprocess")
    assert primary_buttons(page) == ["submit"]


def test_a_slug_of_an_archived_or_renamed_workflow_is_not_proposed(
    owner: FlaskClient, team: Team
) -> None:
    archive_workflow(create_workflow(team.workspace_id, "Billing"))
    renamed = create_workflow(team.workspace_id, "Old name")
    rename_workflow(renamed, "New name", "new-name")
    for slug in ("billing", "old-name"):
        path = refuse(owner, team, workflow_slug=None, workflow_id=slug)
        assert send_form(owner, path, f"{path}/create-workflow").status_code == 303
        assert find_workflow_by(f"{slug}-2") is not None


def find_workflow_by(slug: str) -> Workflow | None:
    db.session.rollback()
    return db.session.scalar(select(Workflow).where(Workflow.slug == slug))


def test_the_closest_workflow_is_found_among_very_many(owner: FlaskClient, team: Team) -> None:
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=f"A job {n}", slug=f"a-job-{n}")
            for n in range(300)
        )
        session.add(Workflow(workspace_id=team.workspace_id, name="Zahlungen", slug="zahlungen"))
    path = refuse(owner, team, workflow_slug="zahlugnen")
    assert "It was zahlungen" in open_page(owner, path).text


@pytest.mark.parametrize("attribute", ["public_id", "slug", "name"])
def test_each_of_very_many_workflows_can_be_named_by_its_slug_id_or_name(
    owner: FlaskClient, team: Team, attribute: str
) -> None:
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=f"A job {n}", slug=f"a-job-{n}")
            for n in range(210)
        )
    last = create_workflow(team.workspace_id, "Zahlungen (neu)", "payments")
    path = refuse(owner, team, workflow_slug="nope")
    form = next(form for form in open_page(owner, path).forms if form.fields.get("instead") == "")
    named = f" {getattr(last, attribute)} "
    asked = owner.post(form.action, data={**form.fields, "instead": named})
    assert f"It was {named.strip()}?" in Page(asked.text).text
    answer = submit(owner, form, instead=named)
    event = find(answer.location.rsplit("/", 1)[1])
    assert event is not None and event.workflow_id == last.id


@pytest.mark.parametrize("requests", [1, 2])
@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("lead-enrichmnt", "No workflow that takes events has this id, slug or name. lead-enr"),
        ("", "Name a workflow by its slug, id or name."),
        ("Old <one>", "“Old <one>” is archived. Restore it on its page first."),
    ],
)
def test_a_workflow_that_is_not_there_is_told_at_the_field_and_nothing_runs(
    owner: FlaskClient, team: Team, requests: int, named: str, told: str
) -> None:
    archive_workflow(create_workflow(team.workspace_id, "Old <one>"))
    path, *_ = [refuse(owner, team, workflow_slug="nope") for _ in range(requests)]
    form = next(form for form in open_page(owner, path).forms if form.fields.get("instead") == "")
    answer = submit(owner, form, instead=named)
    page = Page(answer.text)
    assert answer.status_code == 422 and told in page.text
    field = next(values for _, values in page.tags if values.get("id") == "field-instead")
    assert field["value"] == named and field["aria-invalid"] == "true"
    assert field["aria-describedby"] and "field-instead-error" in field["aria-describedby"]
    assert len(db.session.scalars(select(Event)).all()) == requests


def test_an_archived_workflow_is_restored(owner: FlaskClient, team: Team) -> None:
    workflow = db.session.get(Workflow, team.workflow_id)
    assert workflow is not None
    archive_workflow(workflow)
    path = refuse(owner, team)
    assert "Restore Lead enrichment" in open_page(owner, path).text
    assert send_form(owner, path, f"{path}/restore-workflow").status_code == 303
    answer = send_form(owner, path, f"{path}/reprocess")
    event = find(answer.headers["Location"].rsplit("/", 1)[1])
    assert event is not None and event.workflow_id == team.workflow_id


def test_after_a_revoked_key_the_request_runs_and_a_new_key_is_offered(
    owner: FlaskClient, team: Team
) -> None:
    key = db.session.get(ApiKey, team.api_key_id)
    assert key is not None
    revoke_api_key(key)
    page = open_page(owner, path := refuse(owner, team))
    assert "/keys" in page.links and "Make a new key" in page.text
    assert send_form(owner, path, f"{path}/reprocess").status_code == 303


def test_a_viewer_sees_the_correction_and_no_buttons(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    path = refuse(owner, team, workflow_slug="lead-enrichmnt")
    viewer = colleague("viewer")
    page = open_page(viewer, path)
    assert "The workflow is lead-enrichment" in page.text
    assert not {"reprocess", "reprocess-all", "create-workflow"} & actions(page)
    assert team.key[:11] not in page.text
    open_page(viewer, f"{path}/resend", 403)
    for action in ("resend", "reprocess", "reprocess-all", "create-workflow", "restore-workflow"):
        answer = viewer.post(f"{path}/{action}", data=token(viewer, path))
        assert answer.status_code == 403, action


def test_a_viewer_is_not_told_to_send_what_only_a_member_can(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    path = refuse(owner, team, workflow_slug="nothing-like-it")
    words = "this one request can be sent from here"
    assert words in open_page(owner, path).text
    text = open_page(colleague("viewer"), path).text
    assert words not in text and "a member can mend and resend" in text


def test_a_request_that_a_person_sent_without_a_key_names_the_person(
    owner: FlaskClient, team: Team
) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    (attempt,) = make_attempts(TESTS["success"], workflow, team.email)
    event_id = send_attempt(attempt).event_id
    for path in (f"/events/{event_id}", "/events"):
        text = open_page(owner, path).text
        assert f"no key · {team.email}" in text and "none known" not in text


def test_a_mistyped_key_is_told_with_the_next_step(owner: FlaskClient, team: Team) -> None:
    path = refuse(owner, replace(team, key=team.key[:-1]))
    text = open_page(owner, path).text
    assert "It came without an API key that is known here" in text
    assert "Put a key that works into the sender, and have it send again." in text


def test_a_member_mends(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    path = refuse(owner, team, workflow_slug="nope")
    create_workflow(team.workspace_id, "Nope", "nope")
    member = colleague("member")
    answer = send_form(member, path, f"{path}/reprocess")
    event = find(answer.headers["Location"].rsplit("/", 1)[1])
    assert event is not None and event.sent_by == "member@example.org"


@pytest.mark.parametrize(
    ("action", "way", "who"), [("resend", "resent", "no key ·"), ("reprocess", "reprocessed", "by")]
)
def test_the_log_says_in_words_who_sent_a_request_again(
    owner: FlaskClient, team: Team, action: str, way: str, who: str
) -> None:
    """In the text: what is told on hover alone, no keyboard and no finger comes to."""
    path = refuse(owner, team, workflow_slug="nope")
    create_workflow(team.workspace_id, "Nope", "nope")
    body = json.dumps({"workflow_slug": "nope", "ended_at": RECENT})
    form = open_page(owner, f"{path}/resend" if action == "resend" else path)
    submit(owner, form.form(f"{path}/{action}"), body=body, kind="run-success", do="send")
    page = open_page(owner, "/events")
    assert f" {way} " in page.text and f"{who} {team.email}" in page.text


def test_the_log_marks_a_test_once_and_says_what_that_means(owner: FlaskClient, team: Team) -> None:
    workflow = db.session.get_one(Workflow, team.workflow_id)
    (attempt,) = make_attempts(TESTS["success"], workflow, team.email)
    send_attempt(attempt)
    page = open_page(owner, "/events")
    assert sum(values.get("class") == "tag" for _, values in page.tags) == 1
    assert "Test , sent from the console, left out of statistics" in page.text


def test_events_of_the_same_execution_and_correlation_are_listed(
    owner: FlaskClient, team: Team
) -> None:
    refused = refuse(owner, team, ended_at="x", external_execution_id="7", correlation_id="o-1")
    other = refuse(owner, team, ended_at="x", correlation_id="o-1")
    page = open_page(owner, refused)
    assert "With the same correlation" in page.text and other in page.links


def test_an_accepted_request_from_ahead_of_time_shows_both_clocks(
    owner: FlaskClient, team: Team
) -> None:
    event_id = report(owner, team).json["event_id"]
    with writing() as session:
        payload = {"ended_at": "2099-01-01T00:00:00.000000Z"}
        session.execute(update(Event).values(payload=payload))
    page = open_page(owner, f"/events/{event_id}")
    assert "This server's clock" in page.text and "The clocks differ" in page.text


@pytest.mark.parametrize("name", ["curl", "n8n", "python", "javascript"])
def test_the_request_can_be_downloaded_as_code(owner: FlaskClient, team: Team, name: str) -> None:
    path = refuse(owner, team, ended_at="x")
    answer = owner.get(f"{path}/as/{name}")
    assert "fp_your_key" in answer.text and team.key not in answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert owner.get(f"{path}/as/cobol").status_code == 404


def primary_buttons(page: Page) -> list[str | None]:
    return [
        values.get("href") or values.get("type")
        for tag, values in page.tags
        if tag in ("a", "button") and values.get("class") == "btn" and "data-variant" not in values
    ]


@pytest.mark.once
def test_a_refused_events_page_has_one_primary_button_at_most(
    owner: FlaskClient, team: Team
) -> None:
    """Of test events of every kind, and of what one sender with a revoked key has sent."""
    workflow = db.session.get_one(Workflow, team.workflow_id)
    refused = [test for test in TESTS.values() if test.code]
    for attempt in [each for test in refused for each in make_attempts(test, workflow, "a@b.c")]:
        send_attempt(attempt)
    revoke_api_key(db.session.get_one(ApiKey, team.api_key_id), None)
    refuse(owner, team)
    refuse(owner, team)
    ids = db.session.scalars(select(Event.public_id).where(Event.code.is_not(None))).all()
    buttons = {each: primary_buttons(open_page(owner, f"/events/{each}")) for each in ids}
    assert len(buttons) > 20
    assert {each: found for each, found in buttons.items() if len(found) > 1} == {}


def test_a_workflow_that_the_key_may_not_report_leads_to_that_key(
    owner: FlaskClient, team: Team
) -> None:
    other = create_workflow(team.workspace_id, "Other")
    key, secret = create_api_key(team.workspace_id, "Limited", workflow_ids=[other.id])
    path = refuse(owner, replace(team, key=secret))
    page = open_page(owner, path)
    assert f"/keys/{key.public_id}" in page.links
    assert primary_buttons(page) == [f"/keys/{key.public_id}"]
    assert "can't be changed" in page.text and "/keys#new-key" in page.links

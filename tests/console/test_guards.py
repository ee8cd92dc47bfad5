"""Every page is guarded, public, or opened by an API key; roles and workspaces are kept apart."""

import re
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from app.console.access import ACCESS, PUBLIC
from app.extensions import writing
from app.models import ROLES, Membership, User, UserSession
from app.workspaces.api_keys import create_api_key
from app.workspaces.workflows import create_workflow
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team, report
from tests.pages_map import PAGES, SIGNED_OUT

SOME_ID = "a" * 24
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def guarded(app: Flask, methods: set[str]) -> list[tuple[str, str]]:
    """Method and path of each guarded rule, with an id that leads nowhere."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC or rule.rule.startswith("/api/"):
            continue
        path = rule.rule.replace("<public_id:public_id>", SOME_ID)
        found += [(method, path) for method in (rule.methods or set()) & methods]
    return found


def form_addresses(app: Flask) -> list[tuple[str, str]]:
    """Endpoint and path of each rule of the console that takes forms and can't be read."""
    addresses = app.url_map.bind("")
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub("<[^>]+>", SOME_ID, rule.rule)
        is_of_console = not rule.rule.startswith("/api/") and "foreign_pings" not in rule.endpoint
        if is_of_console and "GET" not in addresses.allowed_methods(path):
            found.append((rule.endpoint, path))
    return found


def test_every_url_is_guarded_or_public_or_under_api(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC or rule.rule.startswith("/api/"):
            continue
        name = rule.endpoint.partition(".")[0]
        assert name in ACCESS, rule
        checks = app.before_request_funcs.get(name, [])
        assert "_check_access" in {check.__name__ for check in checks}, rule


def test_what_is_public_exists(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= PUBLIC


def test_the_required_roles_are_roles() -> None:
    assert {role for access in ACCESS.values() for role in (access.look, access.change)} <= set(
        ROLES
    )


def test_who_is_signed_out_is_sent_to_sign_in(app: Flask, team: Team) -> None:
    client = app.test_client()
    for _, path in guarded(app, {"GET"}):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/sign-in"), path


def test_the_address_of_a_form_leads_to_the_page_that_it_belongs_to(
    app: Flask, owner: FlaskClient
) -> None:
    """It stands in the address bar after an answer that is no redirect, and may be reloaded."""
    addresses = app.url_map.bind("")
    for _, path in form_addresses(app):
        answer = owner.get(path)
        assert (answer.status_code, owner.head(path).status_code) == (303, 303), path
        endpoint, _ = addresses.match(answer.location, "GET")
        assert endpoint in PAGES | SIGNED_OUT and path.startswith(answer.location), path
    assert owner.get(f"/keys/{SOME_ID}/rotate?again=1").location == f"/keys/{SOME_ID}"
    assert owner.get(f"/workflows/{SOME_ID}/badge/off").location == f"/workflows/{SOME_ID}"


def test_where_no_form_is_taken_a_form_is_refused(owner: FlaskClient) -> None:
    assert owner.get("/keys/nothing/rotate").status_code == 404
    assert owner.post("/keys/" + SOME_ID).status_code == 405


def test_a_script_that_is_signed_out_gets_401(client: FlaskClient, team: Team) -> None:
    for headers in ({"HX-Request": "true"}, {"Accept": "text/event-stream"}):
        assert client.get("/events/stream", headers=headers).status_code == 401


def test_a_form_sent_after_the_session_ended_changes_nothing(
    app: Flask, owner: FlaskClient, team: Team
) -> None:
    form = open_page(owner, "/workflows").form("/workflows")
    send_form(owner, "/workflows", "/sign-out")
    fresh = open_page(owner, "/sign-in").form("/sign-in")
    answer = owner.post("/workflows", data={**form.fields, **fresh.fields, "name": ""})
    assert (answer.status_code, answer.location) == (303, "/sign-in")


def test_every_change_needs_the_token_of_a_form(app: Flask, owner: FlaskClient) -> None:
    for method, path in guarded(app, UNSAFE):
        assert owner.open(path, method=method).status_code == 400, path


def test_a_viewer_sees_pages_without_forms_and_without_keys(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    viewer = colleague("viewer")
    for path in (
        "/workflows",
        f"/workflows/{team.workflow_public_id}",
        "/keys",
        "/events",
        "/settings",
    ):
        page = open_page(viewer, path)
        assert [form.action for form in page.forms if form.method == "post"] == ["/sign-out"], path
        assert team.key[:11] not in page.text, path


def test_a_viewer_changes_nothing(
    app: Flask, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    viewer = colleague("viewer")
    token = open_page(viewer, "/workflows").form("/sign-out").fields
    for method, path in guarded(app, UNSAFE):
        if path.startswith("/account/"):
            continue  # Everybody's own.
        answer = viewer.open(path, method=method, data=token)
        assert answer.status_code == 403, path
        assert "viewer" in Page(answer.text).text


def test_from_member_on_one_may_make_workflows(colleague: Callable[[str], FlaskClient]) -> None:
    for role in ("member", "admin", "owner"):
        assert send_form(colleague(role), "/workflows", name=f"{role}s").status_code == 303


def test_another_workspace_is_not_there(app: Flask, owner: FlaskClient) -> None:
    other = make_team("Secret plans", first=False)
    workflow = create_workflow(other.workspace_id, "Second")
    api_key, _ = create_api_key(other.workspace_id, "second")
    sent = report(owner, other)
    token = open_page(owner, "/workflows").form("/sign-out").fields
    paths = [f"/workflows/{workflow.public_id}", f"/events/{sent.json['event_id']}"]
    changes = ["", "/archive", "/restore"]
    for path in [*paths, paths[1] + "/body"]:
        assert owner.get(path).status_code == 404, path
    for path in [paths[0] + change for change in changes]:
        assert owner.post(path, data=token).status_code == 404, path
    assert owner.post(f"/keys/{api_key.public_id}/revoke", data=token).status_code == 404
    assert owner.post(f"{paths[1]}/retry", data=token).status_code == 404
    for path in ("/workflows", "/events", "/keys"):
        assert "Secret plans" not in open_page(owner, path).text


def test_what_is_no_id_leads_nowhere(owner: FlaskClient) -> None:
    for identifier in ("x", "a%00b", "A" * 24, "%ff" * 24, "a" * 25, "..%2f" * 5):
        for path in ("/events/", "/workflows/"):
            assert owner.get(path + identifier).status_code == 404, identifier


def test_who_is_in_no_workspace_any_more_can_read_the_documents_and_sign_out(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    member = colleague("member")
    with writing() as session:
        gone = select(User.id).where(User.email == "member@example.org").scalar_subquery()
        session.execute(delete(Membership).where(Membership.user_id == gone))
    page = open_page(member, "/", 403)
    assert "You belong to no workspace" in page.text
    for path in ("/docs", "/docs/n8n", "/docs/guides", "/docs/integrations", "/troubleshooting"):
        assert member.get(path).status_code == 200, path
    token = page.form("/sign-out").fields
    assert member.post("/sign-out", data=token).status_code == 303
    assert member.get("/").status_code == 302


def test_a_form_that_htmx_sends_is_refused_in_place(owner: FlaskClient, team: Team) -> None:
    """A whole error page would end up within the card that the form stands in."""
    htmx = {"HX-Request": "true", "HX-Current-URL": "http://localhost/workflows"}
    answer = owner.post("/workflows", data={"name": ""}, headers=htmx)
    assert (answer.status_code, answer.text) == (400, "")
    assert answer.headers["HX-Reswap"] == "none"
    assert "out of date" in answer.headers["HX-Trigger"]
    fields = open_page(owner, "/workflows").form("/workflows").fields
    token = {"csrf_token": fields["csrf_token"]}
    with writing() as session:
        session.execute(delete(UserSession))
    answer = owner.post("/workflows", data={**token, "name": ""}, headers=htmx)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=%2Fworkflows"

"""The doctor's page: for the server's owner, with all findings and how this request came."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.clock import now
from app.console.doctor import SLOW
from app.doctor.backup_health import MADE, OLD, check_backups
from app.doctor.checks import CHECKS, examine
from app.extensions import db, writing
from app.models import Workspace
from app.workspaces.audit import note_server
from app.workspaces.people import create_user
from tests.console.pages import open_page, send_form
from tests.factories import PASSWORD, Team, make_team
from tests.sessions import make_client

PATH = "/settings/doctor"


@pytest.fixture
def see(make_app: Callable[..., Flask]) -> Callable[..., str]:
    """The page's text as the owner sees it, on a server with these settings, after this request."""

    def read(headers: dict[str, str], peer: str = "", **settings: object) -> str:
        app = make_app(**settings)
        with app.app_context():
            is_https = headers.get("X-Forwarded-Proto") == "https" and len(settings) > 0
            client = make_client(app, make_team().email, is_https=is_https)
            environ = {"REMOTE_ADDR": peer} if peer else {}
            answer = client.get(PATH, headers=headers, environ_overrides=environ)
            assert answer.status_code == 200
            db.session.remove()
            return answer.text

    return read


def test_the_owner_sees_each_finding_of_the_command_with_its_fix(
    owner: FlaskClient, team: Team
) -> None:
    page = owner.get(PATH)
    for finding in examine([check for check in CHECKS if check not in SLOW]):
        assert f"<strong>{finding.name}</strong>" in page.text
    assert "None is running: events wait." in page.text and "Start it:" in page.text
    assert "<strong>mail server</strong>" not in page.text
    asked = send_form(owner, PATH, PATH)
    assert asked.status_code == 200 and "<strong>mail server</strong>" in asked.text


def test_what_has_to_be_mended_stands_first(owner: FlaskClient, team: Team) -> None:
    text = owner.get(PATH).text
    assert text.index(">Mend<") < text.index(">Look<") < text.index(">OK<")


def test_nobody_but_the_servers_owner_may_look(owner: FlaskClient, team: Team, app: Flask) -> None:
    other = make_team(first=False)
    workspace = db.session.get_one(Workspace, team.workspace_id)
    create_user("second@example.org", PASSWORD, "owner", workspace)
    create_user("admin@example.org", PASSWORD, "admin", workspace)
    for email in (other.email, "second@example.org", "admin@example.org"):
        client = make_client(app, email)
        for answer in (client.get(PATH), client.get("/settings")):
            assert PATH not in answer.text
        assert client.get(PATH).status_code == 403
    assert PATH in open_page(owner, "/settings").links


def test_the_age_of_the_last_backup_is_known(app: Flask) -> None:
    make_team()
    assert check_backups().state == "warn"
    with writing() as session:
        note_server(session, MADE, "flowpulse.db", {"bytes": 1})
    assert check_backups().state == "ok"


def test_an_old_backup_is_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    make_team()
    with writing() as session:
        note_server(session, MADE, "flowpulse.db", {"bytes": 1})
    later = now() + OLD * 2
    monkeypatch.setattr("app.doctor.backup_health.now", lambda: later)
    found = check_backups()
    assert found.state == "warn" and "14 days ago" in found.message and found.fix


FROM_PROXY = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def test_a_proxy_that_is_not_believed_is_named(see: Callable[..., str]) -> None:
    page = see(FROM_PROXY, peer="10.1.2.3")
    assert "It came from 10.1.2.3 with X-Forwarded-For: 203.0.113.9, which is not believed" in page
    assert "If 10.1.2.3 is a proxy of yours, name it in FLOWPULSE_TRUSTED_PROXIES." in page


def test_a_proxy_that_is_believed_tells_the_client(see: Callable[..., str]) -> None:
    page = see(FROM_PROXY, peer="10.1.2.3", FLOWPULSE_TRUSTED_PROXIES="10.1.2.3")
    assert "A trusted proxy says that it came from 203.0.113.9." in page


def test_a_proxy_that_says_nothing_is_missed(see: Callable[..., str]) -> None:
    page = see({}, peer="10.1.2.3", FLOWPULSE_TRUSTED_PROXIES="10.1.2.3")
    assert "without X-Forwarded-For, though proxies are trusted" in page


def test_what_came_in_is_escaped(see: Callable[..., str]) -> None:
    page = see({"X-Forwarded-For": "<script>alert(1)</script>\x1b[2J"})
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page

"""The workspace's settings: who may see and change what."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import __version__
from app.clock import now
from app.console.instance import describe_instance
from app.extensions import db, writing
from app.models import Event, Membership, Purge, User, Workspace
from app.processing import size_limit
from app.processing.database_size import MEGABYTE, Holding
from app.workspaces.members import change_role, remove_member
from app.workspaces.people import RefusedError, create_user
from tests.console.pages import open_page, send_form, sign_in
from tests.factories import PASSWORD, Team, report

RETENTION = "/settings/retention"


def workspace(team: Team) -> Workspace:
    db.session.rollback()
    found = db.session.get(Workspace, team.workspace_id)
    assert found is not None
    return found


def member(email: str) -> Membership:
    db.session.rollback()
    return db.session.scalars(select(Membership).join(User).where(User.email == email)).one()


def path_of(email: str, action: str) -> str:
    return f"/settings/members/{member(email).user.public_id}/{action}"


def test_the_workspace_gets_another_name(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/settings", "/settings/name", workspace=" Growth  team ")
    assert (answer.status_code, answer.location) == (303, "/settings")
    assert "The workspace is now called Growth team." in open_page(owner, "/settings").text


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b"])
def test_a_name_that_is_none_is_refused_at_its_field(
    owner: FlaskClient, team: Team, name: str
) -> None:
    answer = send_form(owner, "/settings", "/settings/name", workspace=name)
    assert answer.status_code == 422 and 'id="field-workspace-error"' in answer.text
    assert workspace(team).name == "Team"


def test_retention_is_saved_and_emptied(owner: FlaskClient, team: Team) -> None:
    days = {"rejected_days": "3", "event_days": "30", "failure_days": ""}
    assert send_form(owner, "/settings", RETENTION, **days).status_code == 303
    mine = workspace(team)
    assert (mine.rejected_days, mine.event_days, mine.failure_days) == (3, 30, None)
    page = open_page(owner, "/settings").text
    assert "Now kept for 3 days" in page and "Now kept for 365 days" in page
    send_form(owner, "/settings", RETENTION, rejected_days="", event_days="", failure_days="")
    assert workspace(team).rejected_days is None


@pytest.mark.parametrize("value", ["0", "-1", "3651", "1.5", "ten", "²", "9" * 40])
def test_each_wrong_number_has_its_error_at_its_field(
    owner: FlaskClient, team: Team, value: str
) -> None:
    days = {"rejected_days": value, "event_days": value, "failure_days": "5"}
    answer = send_form(owner, "/settings", RETENTION, **days)
    assert answer.status_code == 422
    assert 'id="field-rejected_days-error"' in answer.text
    assert 'id="field-event_days-error"' in answer.text
    assert 'id="field-failure_days-error"' not in answer.text
    assert f'value="{value}"' in answer.text
    assert workspace(team).failure_days is None


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_is_no_admin_reads_the_settings_and_changes_nothing(
    colleague: Callable[[str], FlaskClient], team: Team, role: str
) -> None:
    browser = colleague(role)
    page = open_page(browser, "/settings")
    assert [form.action for form in page.forms if form.action] == ["/sign-out"]
    assert "90 days" in page.text
    token = page.form("/sign-out").fields
    for action in ("name", "retention", f"members/{'a' * 24}/role", f"members/{'a' * 24}/remove"):
        assert browser.post(f"/settings/{action}", data=token).status_code == 403


def test_the_server_is_its_owners_to_see(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    page = open_page(owner, "/settings")
    assert f"FlowPulse {__version__}" in page.text and "/docs/changelog" in page.links
    assert f"FlowPulse {__version__}" not in open_page(colleague("owner"), "/settings").text


def test_the_servers_owner_sees_what_is_in_use_the_limit_and_what_went_for_it(
    app: Flask, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limit, "measure", lambda: Holding(3 * MEGABYTE, {}))
    page = open_page(owner, "/settings").text
    assert (
        "; 3 MB in use, no limit ( FLOWPULSE_MAX_DATABASE_MB ) Worker" in page
        and "Removed for size" not in page
    )
    app.config["FLOWPULSE_MAX_DATABASE_MB"] = 2
    moment = datetime(2026, 2, 3, 12, tzinfo=UTC)
    row = {"day": moment.date(), "why": "size", "row_count": 600, "last_at": moment}
    with writing() as session:
        for what in ("rejected", "success"):
            session.add(Purge(**row, what=what, reached_at=moment))
    page = open_page(owner, "/settings").text
    assert "; 3 MB in use, 2 MB at most" in page
    assert "1,200 rows in 90 days, the last 3 Feb 2026 ; successes go back to 3 Feb 2026" in page


def test_settings_lead_to_the_audit_log_whoever_may_read_it(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    def links_in_header(client: FlaskClient) -> bool:
        header = client.get("/settings").text.partition('class="page-header"')[2]
        return "/settings/audit" in header.partition("</header>")[0]

    assert links_in_header(owner) and not links_in_header(colleague("admin"))


def test_what_all_periods_have_in_common_is_said_once(owner: FlaskClient) -> None:
    assert open_page(owner, "/settings").text.count("In days, 1 to 3650.") == 1


def test_the_lag_is_the_age_of_the_oldest_event_also_of_one_that_is_put_off(
    client: FlaskClient, team: Team
) -> None:
    report(client, team)
    assert describe_instance().lag_ms < 60_000
    with writing() as session:
        session.execute(
            update(Event).values(
                received_at=now() - timedelta(hours=2), next_attempt_at=now() + timedelta(hours=1)
            )
        )
    assert describe_instance().lag_ms >= 7_200_000


def test_a_role_is_changed_and_counts_at_once(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    browser = colleague("member")
    path = path_of("member@example.org", "role")
    assert send_form(owner, "/settings", path, role="member").status_code == 303
    assert browser.get("/settings").status_code == 200  # It is the role that they had.
    assert send_form(owner, "/settings", path, role="viewer").status_code == 303
    assert browser.get("/settings").location == "/sign-in?next=/settings"
    assert "Your role has changed" in open_page(browser, "/sign-in").text
    assert sign_in(browser, "member@example.org").status_code == 303
    assert actions_on(browser, "/settings") == []
    assert "member@example.org now has the role viewer." in open_page(owner, "/settings").text


def actions_on(browser: FlaskClient, path: str) -> list[str]:
    return [f.action for f in open_page(browser, path).forms if f.action not in ("", "/sign-out")]


def test_a_removed_person_has_no_access_any_more(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient]
) -> None:
    browser = colleague("member")
    assert send_form(owner, "/settings", path_of("member@example.org", "remove")).status_code == 303
    for path in ("/events", "/settings", "/events/stream"):
        assert browser.get(path).status_code == 302, path
    assert "You were removed from the workspace" in open_page(browser, "/sign-in").text
    assert sign_in(browser, "member@example.org").status_code == 303
    for path in ("/events", "/settings", "/events/stream"):
        assert browser.get(path).status_code == 403, path
    assert "member@example.org is no longer" in open_page(owner, "/settings").text


def test_sixty_four_people_are_a_light_page_and_a_change_leads_back_to_it(
    owner: FlaskClient, team: Team
) -> None:
    with writing() as session:
        people = [
            User(email=f"{n:02}{'p' * 200}@example.org", name="n" * 120, password_hash="x")
            for n in range(64)
        ]
        session.add_all(people)
        session.flush()
        session.add_all(
            Membership(user_id=user.id, workspace_id=team.workspace_id, role="member")
            for user in people
        )
    seen: set[str] = set()
    for number in (1, 2, 3):
        answer = owner.get(f"/settings?members={number}")
        assert len(answer.data) < 100_000
        seen |= set(re.findall(r"(\d\d)p{200}@", answer.text))
    assert len(seen) == 64
    path = path_of(f"40{'p' * 200}@example.org", "role")
    answer = send_form(owner, "/settings?members=2", f"{path}?members=2", role="viewer")
    assert answer.location == "/settings?members=2"
    answer = send_form(owner, "/settings?members=2", f"{path}?members=2", role="god")
    assert answer.status_code == 422 and "Choose one of" in answer.text


def test_the_last_owner_stays_one(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/settings", path_of(team.email, "role"), role="admin")
    assert answer.status_code == 422 and "This is the last owner" in answer.text
    assert member(team.email).role == "owner"


def test_with_a_second_owner_one_may_step_down(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    colleague("owner")
    answer = send_form(owner, "/settings", path_of(team.email, "role"), role="member")
    assert answer.status_code == 303
    assert member(team.email).role == "member"


def test_an_admin_neither_makes_nor_unmakes_owners(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    admin, _ = colleague("admin"), colleague("member")
    token = open_page(admin, "/settings").form("/sign-out").fields
    for path, role in (
        (path_of(team.email, "role"), "viewer"),
        (path_of(team.email, "remove"), ""),
        (path_of("member@example.org", "role"), "owner"),
        (path_of("admin@example.org", "role"), "owner"),
    ):
        answer = admin.post(path, data={**token, "role": role})
        assert answer.status_code == 422, path
        assert "Only an owner decides who is an owner." in answer.text
    assert {member(team.email).role, member("member@example.org").role} == {"owner", "member"}
    answer = admin.post(path_of("member@example.org", "role"), data={**token, "role": "admin"})
    assert answer.status_code == 303


def test_nobody_removes_themselves_and_an_unknown_role_is_none(
    colleague: Callable[[str], FlaskClient], team: Team
) -> None:
    owner = colleague("owner")
    token = open_page(owner, "/settings").form("/sign-out").fields
    answer = owner.post(path_of("owner@example.org", "remove"), data=token)
    assert answer.status_code == 422 and "Nobody removes themselves." in answer.text
    path = path_of(team.email, "role")
    assert owner.post(path, data={**token, "role": "god"}).status_code == 422


def test_two_owners_who_demote_each_other_at_once_leave_one(app: Flask, team: Team) -> None:
    create_user("second@example.org", PASSWORD, "owner", workspace(team))
    emails, barrier = [team.email, "second@example.org"], Barrier(2)

    def demote(actor: str, other: str) -> None:
        with app.app_context():
            pair = member(actor), member(other)
            db.session.refresh(pair[0])
            barrier.wait(10)
            try:
                change_role(*pair, "viewer")
            except RefusedError:
                pass

    threads = [Thread(target=demote, args=pair) for pair in (emails, emails[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(member(email).role for email in emails) == ["owner", "viewer"]


def test_who_has_left_meanwhile_is_not_changed(app: Flask, team: Team) -> None:
    create_user("second@example.org", PASSWORD, "member", workspace(team))
    actor = other = member("second@example.org")
    actor = member(team.email)
    assert actor.workspace_id == other.workspace_id  # Both are read now, and not again.
    with app.app_context():
        remove_member(member(team.email), member("second@example.org"))
    with pytest.raises(RefusedError, match="not in the workspace any more"):
        change_role(actor, other, "viewer")

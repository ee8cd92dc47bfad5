"""The end of a workspace: for people and keys at once, for its rows in the worker's batches."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.clock import now
from app.extensions import Model, db, writing
from app.models import AuditEntry, Event, Run, UserSession, Workspace
from app.processing import sweeping
from app.processing.sweeping import prune
from app.workspaces.deletion import delete_workspace
from app.workspaces.people import RefusedError
from tests.cli.conftest import Run as RunCommand
from tests.cli.conftest import run as run
from tests.cli.test_workspace import _process
from tests.console.pages import Page, open_page, send_form, submit
from tests.factories import PASSWORD, Team, make_alert, make_team, report


@pytest.fixture
def other(team: Team, client: FlaskClient) -> Team:
    """Another workspace, which stays; both have some of everything."""
    other = make_team("Other", first=False)
    for each in (team, other):
        for number in range(30):
            report(client, each, "failure" if number % 2 else "success")
        report(client, each, workflow_slug="nowhere")
        _process()
        make_alert(each.workspace_id, each.workflow_id)
    return other


def count_rows() -> dict[str, int]:
    return {
        table.name: db.session.scalar(select(func.count()).select_from(table)) or 0
        for table in Model.metadata.sorted_tables
    }


def test_all_of_it_goes_and_nothing_of_others(owner: FlaskClient, team: Team, other: Team) -> None:
    """What is left has as many rows in each table as there were of the other one."""
    before = count_rows()
    answer = send_form(owner, "/settings", "/settings/delete", name_again="Team")
    assert answer.status_code == 303
    assert db.session.scalar(select(Event.id).where(Event.workspace_id == team.workspace_id))
    prune()
    db.session.rollback()
    after = count_rows()
    assert db.session.scalars(select(Workspace.id)).all() == [other.workspace_id]
    for name in ("events", "runs", "workflows", "alerts", "messages"):
        assert after[name] == before[name] / 2 > 0, name
    mine = [
        table.name
        for table in Model.metadata.sorted_tables
        if "workspace_id" in table.columns and table.name != "audit_entries"
        if db.session.scalar(
            select(func.count()).where(table.columns["workspace_id"] == team.workspace_id)
        )
    ]
    assert mine == []


def test_from_then_on_nobody_sees_it_and_no_key_opens_it(
    owner: FlaskClient, team: Team, other: Team, client: FlaskClient
) -> None:
    assert report(client, team).status_code == 202
    send_form(owner, "/settings", "/settings/delete", name_again="Team")
    assert report(client, team).status_code == 401
    assert "no workspace" in owner.get("/events").text.lower()
    assert report(client, other).status_code == 202
    entry = db.session.scalars(
        select(AuditEntry).where(AuditEntry.what == "workspace_deleted")
    ).one()
    assert (entry.who, entry.about, entry.workspace_id) == (team.email, "Team", None)


def test_a_wrong_name_deletes_nothing(owner: FlaskClient, team: Team, other: Team) -> None:
    answer = send_form(owner, "/settings", "/settings/delete", name_again="Tea")
    assert answer.status_code == 422 and "Type its name as it is written: Team" in answer.text
    assert open_page(owner, "/events")


def test_the_only_one_stays(owner: FlaskClient, team: Team) -> None:
    answer = send_form(owner, "/settings", "/settings/delete", name_again="Team")
    assert answer.status_code == 422 and "the only workspace of this server" in answer.text
    workspace = db.session.get_one(Workspace, team.workspace_id)
    with pytest.raises(RefusedError, match="only workspace"):
        delete_workspace(workspace, "Team")


def test_it_is_for_owners_with_the_password_given_lately(
    owner: FlaskClient, team: Team, other: Team, colleague: Callable[[str], FlaskClient]
) -> None:
    admin = colleague("admin")
    assert "/settings/delete" not in admin.get("/settings").text
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    asked = send_form(owner, "/settings", "/settings/delete", name_again="Team")
    assert asked.status_code == 403
    form = Page(asked.text).form("/settings/delete")
    assert open_page(owner, "/events")
    done = submit(owner, form, password_again=PASSWORD)
    assert done.status_code == 303
    assert db.session.get_one(Workspace, team.workspace_id).deleted_at


def test_its_rows_go_in_batches_of_few(
    team: Team, other: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its own lock, as all that is swept; what was begun goes on after a restart."""
    for name, size in (("FIRST_ROWS", 5), ("FEWEST_ROWS", 5), ("MOST_ROWS", 5)):
        monkeypatch.setattr(sweeping, name, size)
    delete_workspace(db.session.get_one(Workspace, team.workspace_id), "Team")
    steps = sweeping.Sweeper().sweep()
    some = [batch.rows for batch, _ in zip(steps, range(4), strict=False)]
    steps.close()
    assert max(some) <= 5
    left = select(func.count(Event.id)).where(Event.workspace_id == team.workspace_id)
    assert 0 < (db.session.scalar(left) or 0) < 31
    db.session.rollback()
    prune()
    assert db.session.scalar(left) == 0


def test_the_command_asks_for_the_name(run: RunCommand, team: Team, other: Team) -> None:
    refused = run("workspace", "delete", "Team", input="team\n", exit_code=1)
    assert "Type its name as it is written" in refused.stderr
    assert "is deleted" in run("workspace", "delete", "Team", input="Team\n").stdout
    listed = json.loads(run("workspace", "list", "--json").stdout)
    assert len(listed) == 1 and listed[0]["name"] != "Team"
    assert (
        "No workspace has the id or name Team"
        in run("workspace", "delete", "Team", "--name", "Team", exit_code=1).stderr
    )
    assert db.session.scalar(
        select(func.count(Run.id)).where(Run.workspace_id == team.workspace_id)
    )

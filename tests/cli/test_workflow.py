"""`workflow create` and `workflow list`."""

import json

import pytest

from app.extensions import db
from app.models import Workflow
from app.workspaces.workflows import archive_workflow
from tests.cli.conftest import Run
from tests.factories import Team, make_team


@pytest.fixture
def team(run: Run) -> Team:
    return make_team()


def test_a_new_workflow_is_printed_as_id_slug_and_name(run: Run, team: Team) -> None:
    printed = run("workflow", "create", " Invoice  sync ").stdout
    made = Workflow.query.filter_by(name="Invoice sync").one()
    assert printed == f"{made.public_id}\tinvoice-sync\tInvoice sync\n"


def test_a_slug_can_be_given(run: Run, team: Team) -> None:
    printed = run("workflow", "create", "Invoice sync", "--slug", "invoices", "--json").stdout
    assert json.loads(printed).items() >= {"slug": "invoices", "name": "Invoice sync"}.items()


def test_what_is_taken_or_senseless_is_refused(run: Run, team: Team) -> None:
    for arguments, reason in (
        (["Lead enrichment"], "Another workflow has the name Lead enrichment."),
        (["Another", "--slug", "lead-enrichment"], "Another workflow has the slug"),
        (["Another", "--slug", "No Slug!"], "such as no-slug"),
        (["\x1b[2J"], "U+001B"),
    ):
        result = run("workflow", "create", *arguments, exit_code=1)
        assert reason in result.stderr
        assert result.stdout == ""


def test_archived_workflows_are_listed_when_asked_for(run: Run, team: Team) -> None:
    run("workflow", "create", "Old one")
    archive_workflow(Workflow.query.filter_by(name="Old one").one())
    db.session.rollback()
    assert "Old one" not in run("workflow", "list").stdout
    assert "Old one" in run("workflow", "list", "--archived").stdout
    listed = json.loads(run("workflow", "list", "--json").stdout)
    assert [each["slug"] for each in listed] == ["lead-enrichment"]

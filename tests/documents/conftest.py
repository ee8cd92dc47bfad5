"""What the documents' commands find: FlowPulse's folder, a server, a team, other systems."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Workspace
from app.workspaces.people import create_user, set_up
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.databases import Databases
from tests.documents.blocks import ROOT
from tests.documents.foreign import RECORDED, foreign_server
from tests.factories import PASSWORD
from tests.server import SECRET, LiveServer
from tests.teams import LiveTeam, find_workspace, make_live_team

SLUGS = ("Nightly backup", "Nightly sync", "Your workflow")
"""Workflows that the documents report, besides those that each team has."""


@pytest.fixture(scope="module")
def team(live_server: LiveServer) -> LiveTeam:
    made = make_live_team(live_server)
    app = make_app(live_server.database_url, live_server.data_dir)
    with app.app_context():
        workspace_id = find_workspace(made).id
        for name in SLUGS:
            create_workflow(workspace_id, name)
    close_app(app)
    return made


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """The address of Healthchecks and n8n."""
    with foreign_server() as url:
        yield url


@pytest.fixture
def folder(databases: Databases, tmp_path: Path) -> Path:
    """FlowPulse's folder as the documents see it, with data of its own; and another one."""
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "other").mkdir()
    (tmp_path / "password.txt").write_text(PASSWORD)
    shutil.copy(RECORDED / "healthchecks.json", tmp_path / "checks.json")
    for name in ("data", "elsewhere"):
        data = tmp_path / name
        data.mkdir()
        (data / "secret_key").write_text(SECRET)
        shutil.move(databases.create().removeprefix("sqlite:///"), data / "flowpulse.db")
        _fill(data)
    return tmp_path


def _fill(data: Path) -> None:
    app = make_app(f"sqlite:///{data / 'flowpulse.db'}", data)
    with app.app_context():
        set_up("ana@example.org", PASSWORD, "My workspace")
        workspace = db.session.scalars(select(Workspace)).one()
        create_user("bo@example.org", PASSWORD, "member", workspace)
        create_workflow(workspace.id, "Nightly backup")
    close_app(app)

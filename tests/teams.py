"""A team on a live server."""

from dataclasses import dataclass

from sqlalchemy import select

from app.extensions import db
from app.models import Workflow, Workspace
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import create_user, is_set_up, set_up
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.factories import PASSWORD, make_workspace
from tests.server import LiveServer


@dataclass(frozen=True, slots=True)
class LiveTeam:
    """The ids and secrets that a sender needs."""

    email: str
    workflow_id: str
    slug: str
    name: str
    other_slug: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}


def make_live_team(server: LiveServer) -> LiveTeam:
    """A user, two workflows and a key: the first team sets the server up.

    Each further one gets a workspace of its own, so that many tests can share a server. By the
    services themselves: five commands would take as many seconds, and are tested elsewhere.
    """
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        email, workspace_id = _make_owner()
        workflow = create_workflow(workspace_id, "Lead enrichment")
        first = (workflow.public_id, workflow.slug, workflow.name)
        other_slug = create_workflow(workspace_id, "Invoice sync").slug
        _, key = create_api_key(workspace_id, "n8n-prod")
    close_app(app)
    return LiveTeam(email, *first, other_slug, key)


def make_live_colleague(server: LiveServer, team: LiveTeam, role: str) -> str:
    """The e-mail address of another user in the team's workspace."""
    email = f"{role}-{team.email}"
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        create_user(email, PASSWORD, role, find_workspace(team))
    close_app(app)
    return email


def find_workspace(team: LiveTeam) -> Workspace:
    """Inside an app on the server's database."""
    own = select(Workflow.workspace_id).where(Workflow.public_id == team.workflow_id)
    return db.session.scalars(select(Workspace).where(Workspace.id == own.scalar_subquery())).one()


def _make_owner() -> tuple[str, int]:
    """The e-mail address and the id of the workspace."""
    if is_set_up():
        workspace = make_workspace()
        email = f"ana-{workspace.id}@example.org"
        create_user(email, PASSWORD, "owner", workspace)
        return email, workspace.id
    email = "ana@example.org"
    set_up(email, PASSWORD, "My workspace")
    return email, db.session.scalars(select(Workspace.id)).one()

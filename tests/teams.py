"""A team on a live server."""

from dataclasses import dataclass

from sqlalchemy import select

from app.extensions import db
from app.models import Workspace
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import set_up
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.factories import PASSWORD
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
    """Sets the server up: a user, two workflows and a key.

    By the services themselves: five commands would take as many seconds, and are tested elsewhere.
    """
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        email = "ana@example.org"
        set_up(email, PASSWORD, "My workspace")
        workspace_id = db.session.scalars(select(Workspace.id)).one()
        workflow = create_workflow(workspace_id, "Lead enrichment")
        first = (workflow.public_id, workflow.slug, workflow.name)
        other_slug = create_workflow(workspace_id, "Invoice sync").slug
        _, key = create_api_key(workspace_id, "n8n-prod")
    close_app(app)
    return LiveTeam(email, *first, other_slug, key)

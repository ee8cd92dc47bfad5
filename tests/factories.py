"""Makes what tests need, through the same services as people do."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient

from app.extensions import db, writing
from app.models import Workspace
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import create_user, set_up
from app.workspaces.workflows import create_workflow

PASSWORD = "a long enough password"


@dataclass(frozen=True, slots=True)
class Team:
    """A workspace with an owner, a workflow and a key, by their ids and secrets."""

    workspace_id: int
    email: str
    workflow_id: int
    workflow_public_id: str
    slug: str
    name: str
    api_key_id: int
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}


def make_team(name: str = "Lead enrichment", *, first: bool = True, **key: Any) -> Team:
    """The first team sets the server up; a further one gets a workspace of its own."""
    email = f"{uuid4().hex[:8]}@example.org"
    if first:
        set_up(email, PASSWORD, "Team")
        workspace_id = db.session.query(Workspace.id).order_by(Workspace.id).first()[0]
    else:
        workspace = make_workspace()
        create_user(email, PASSWORD, "owner", workspace)
        workspace_id = workspace.id
    workflow = create_workflow(workspace_id, name)
    api_key, secret = create_api_key(workspace_id, key.pop("key_name", "n8n-prod"), **key)
    team = Team(
        workspace_id,
        email,
        workflow.id,
        workflow.public_id,
        workflow.slug,
        workflow.name,
        api_key.id,
        secret,
    )
    db.session.rollback()  # What the test reads later is newer than this.
    return team


def make_workspace() -> Workspace:
    workspace = Workspace(name=f"Team {uuid4().hex[:6]}")
    with writing() as session:
        session.add(workspace)
    return workspace


def success(team: Team, **fields: Any) -> dict[str, Any]:
    """The body of a success; a field set to None is left out."""
    body = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z", **fields}
    return {name: value for name, value in body.items() if value is not None}


def failure(team: Team, **fields: Any) -> dict[str, Any]:
    return success(team, **{"error_message": "boom", **fields})


def report(client: FlaskClient, team: Team, kind: str = "success", **fields: Any) -> Any:
    """POST an event; returns the answer."""
    body = {"success": success, "failure": failure}[kind](team, **fields)
    return client.post(f"/api/v1/ingest/run-{kind}", json=body, headers=team.headers)

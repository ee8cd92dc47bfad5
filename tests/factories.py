"""Makes what tests need, through the same services as people do."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import select

from app.alerting.course import open_alert
from app.alerting.verdicts import Sign, Verdict
from app.channels.message import Message
from app.channels.outbox import put
from app.clock import now
from app.extensions import db, writing
from app.identifiers import new_id
from app.models import (
    AlertMessage,
    AlertRule,
    AlertRuleChannel,
    Channel,
    MaintenanceWindow,
    WorkflowLabel,
    Workspace,
)
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import create_user, set_up
from app.workspaces.workflows import create_workflow
from tests.copies import Rows, read_rows

PASSWORD = "a long enough password"
NAME = "Lead enrichment"


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


_first_teams: dict[bytes, tuple[Team, Rows]] = {}
"""By the server's secret, the first team that the services have made, and all its rows."""


def make_team(name: str = NAME, *, first: bool = True, **key: Any) -> Team:
    """The first team sets the server up; a further one gets a workspace of its own.

    A first team that is like all others is made by the services once, and copied from then on.
    """
    if not first or name != NAME or key:
        return _make_team(name, first, **key)
    secret: bytes = current_app.config["FLOWPULSE_KEY_SECRET"]
    if secret not in _first_teams:
        is_empty = not read_rows().by_table
        team = _make_team(name, first)
        if is_empty:
            _first_teams[secret] = (team, read_rows())
            db.session.rollback()
        return team
    like, rows = _first_teams[secret]
    team = replace(like, email=_make_email())
    rows.put(users={"email": team.email})
    db.session.rollback()  # What the test reads later is newer than this.
    return team


def _make_team(name: str, first: bool, **key: Any) -> Team:
    email = _make_email()
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


def _make_email() -> str:
    return f"{uuid4().hex[:8]}@example.org"


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


def accepted_row(moment: datetime, **columns: Any) -> dict[str, Any]:
    """A row of the events table as the ingest service leaves it, without going through it."""
    return {
        "received_at": moment,
        "state": "accepted",
        "method": "POST",
        "path": "/",
        "headers": [],
        "body": b"",
        "status": 202,
        "took_ms": 1.0,
        "next_attempt_at": moment,
        **columns,
    }


def run_row(team: Team, moment: datetime, **columns: Any) -> dict[str, Any]:
    """A row of the runs table as the worker leaves it, of a run that succeeded at that moment."""
    return {
        "workspace_id": team.workspace_id,
        "workflow_id": team.workflow_id,
        "outcome": "success",
        "ended_at": moment,
        "decided_by_event_id": 0,
        "event_count": 1,
        "is_test": False,
        "created_at": moment,
        "updated_at": moment,
        **columns,
    }


def make_alert(workspace_id: int, workflow_id: int, text: str = "Something is wrong") -> None:
    """A rule, a label, a window and an open alert with a message, all of them with this text."""
    moment = now()
    rule = AlertRule(
        workspace_id=workspace_id,
        name=text[:120],
        kind="failed",
        label=text[:40],
        numbers={"in_a_row": 1},
        cool_down_minutes=15,
        recovery_after=1,
        tells_recovery=True,
        is_on=True,
    )
    reasons = [{"count": 2, "text": text, "event": ""}]
    detail = {"error": text, "error_type": text[:255], "reasons": reasons}
    verdict = Verdict(Sign.OPENS, moment, detail=detail)
    message = Message(new_id(), "alert", text, text, ((text, text),), "", "", moment)
    with writing() as session:
        session.add(rule)
        session.flush()
        alert = open_alert(rule, workflow_id, verdict, moment, None)
        alert.what, alert.told_at = text, moment
        channels = select(Channel.id).where(Channel.workspace_id == workspace_id).limit(1)
        channel_ids = session.scalars(channels).all()
        window = MaintenanceWindow(
            workspace_id=workspace_id,
            name=text[:120],
            label=text[:40],
            starts_at=moment,
            ends_at=moment + timedelta(hours=1),
            is_weekly=True,
            zone="UTC",
        )
        label = WorkflowLabel(workspace_id=workspace_id, workflow_id=workflow_id, label=text[:40])
        session.add_all([alert, window, label])
        session.flush()
        session.add_all(
            AlertRuleChannel(rule_id=rule.id, channel_id=channel_id) for channel_id in channel_ids
        )
        key = put(session.connection(), message, workspace_id, channel_ids, moment)
        session.add(AlertMessage(alert_id=alert.id, message_id=key))

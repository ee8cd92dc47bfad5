"""Those who ask at every address, each with real ids of a workspace that has one of everything."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from app.extensions import db
from app.ingest.service import ingest_service
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Delivery,
    Event,
    MaintenanceWindow,
    Membership,
    Run,
    User,
    Workflow,
    Workspace,
)
from app.processing.batch import process_batch
from app.workspaces.api_keys import create_api_key
from app.workspaces.badges import renew_badge
from app.workspaces.channels import send_test
from app.workspaces.invitations import invite
from app.workspaces.members import remove_member
from app.workspaces.people import create_user
from app.workspaces.report_addresses import create_address
from tests.channels.deliveries import store_channels
from tests.factories import PASSWORD, Team, make_alert, make_team, report
from tests.sessions import make_client

Ids = dict[str, str]
MARK = "Secret plans"
"""Stands in all that the workspace has from which "foreign" wants something."""
ROLES = ("viewer", "member", "admin", "owner")
REPORTS = ("/api/v1/ingest/", "/api/v1/ping/")
"""Where senders report; an event's body names its workflow."""
_ENDED = {"ended_at": "2026-01-15T09:31:00Z"}
ACTORS = ("nobody", *ROLES, "removed", "unscoped", "foreign", "key")
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Actor:
    """Asks for what has these ids; the key for addresses that take reports, and for the others."""

    client: FlaskClient
    ids: Ids
    ingest_key: str | None = None
    read_key: str | None = None
    tokens: list[str] = field(default_factory=list)

    def ask(self, method: str, line: str) -> tuple[int, str]:
        """The answer's status and text. What follows a question mark is a form's content, in a
        POST."""
        path, _, query = line.format(**self.ids).partition("?")
        is_report = path.startswith(REPORTS)
        key = self.ingest_key if is_report else self.read_key
        options: dict[str, Any] = {"headers": {"X-API-Key": key} if key else {}}
        if method == "GET":
            options["query_string"] = query
        elif is_report:
            options["json"] = self._event(path)
        else:
            options["data"] = {"csrf_token": self._token(), **dict(parse_qsl(query))}
        answer = self.client.open(path, method=method, buffered=True, **options)
        return int(answer.status_code), answer.data.decode("utf-8", "replace")  # Or a file.

    def _token(self) -> str:
        """Of who is signed out, that of the sign-in form."""
        if not self.tokens:
            page = self.client.get("/account", follow_redirects=True).text
            self.tokens.extend(_TOKEN.findall(page)[:1])
        return self.tokens[0]

    def _event(self, path: str) -> dict[str, Any]:
        event = {"workflow_id": self.ids["workflow"], "external_execution_id": path}
        if "batch" in path:
            return {"events": [{"kind": "run-success", **event, **_ENDED}]}
        if "start" in path:
            return {**event, "started_at": _ENDED["ended_at"]}
        return {**event, **_ENDED} | ({"error_message": "boom"} if "failure" in path else {})


def make_actors(app: Flask) -> dict[str, Actor]:
    """In an application context, on an empty database."""
    teams = {"nobody": make_team(MARK, key_name=MARK)}
    teams |= {name: make_team(first=False) for name in ("foreign", *ROLES)}
    ids = {name: _furnish(app, team) for name, team in teams.items()}
    base, theirs = teams["nobody"], ids["nobody"]
    _, only_read = create_api_key(base.workspace_id, "only read", ["read"])
    _, only_ingest = create_api_key(base.workspace_id, "only ingest", ["ingest"])
    theirs = _as_own(theirs)
    actors = {
        "nobody": Actor(app.test_client(), theirs),
        "removed": Actor(_make_removed(app, base), theirs),
        "unscoped": Actor(app.test_client(), theirs, only_read, only_ingest),
        "key": Actor(app.test_client(), theirs, base.key, base.key),
    }
    owner, foreign_key = make_client(app, teams["foreign"].email), teams["foreign"].key
    mixed = {**theirs, **{f"own_{name}": each for name, each in ids["foreign"].items()}}
    actors["foreign"] = Actor(owner, mixed, foreign_key, foreign_key)
    for role in ROLES:
        email = _make_user(teams[role], role, f"{role}@example.org")
        actors[role] = Actor(make_client(app, email), _as_own(ids[role]))
    return {name: actors[name] for name in ACTORS}


def _as_own(ids: Ids) -> Ids:
    """`own_…` are others for "foreign" alone."""
    return ids | {f"own_{name}": each for name, each in ids.items()}


def _make_user(team: Team, role: str, email: str) -> str:
    create_user(email, PASSWORD, role, db.session.get_one(Workspace, team.workspace_id))
    return email


def _make_removed(app: Flask, team: Team) -> FlaskClient:
    """Somebody who signs in again; the sessions of before have ended, and get what nobody gets."""
    email = _make_user(team, "member", "removed@example.org")
    query = select(Membership).join(Membership.user).order_by(Membership.id)
    owner = db.session.scalars(query.where(User.email == team.email)).one()
    gone = db.session.scalars(query.where(User.email == email)).one()
    remove_member(owner, gone)
    return make_client(app, email)


def _furnish(app: Flask, team: Team) -> Ids:
    """One of everything that has an address."""
    sender = app.test_client()
    mark = team.name if team.name == MARK else "Something"
    report(sender, team, "failure", error_message=mark)
    report(sender, team, ended_at=mark)
    ingest_service().recorder.flush()
    process_batch(10)
    store_channels(team.workspace_id, [mark])
    make_alert(team.workspace_id, team.workflow_id, mark)
    workflow = db.session.get_one(Workflow, team.workflow_id)
    renew_badge(workflow)
    colleague = _make_user(team, "viewer", f"colleague-{team.email}")
    refused = select(Event.fingerprint).where(
        Event.workspace_id == team.workspace_id, Event.fingerprint.is_not(None)
    )
    sent = select(Delivery.public_id).join(Channel, Channel.id == Delivery.channel_id)
    member = select(User.public_id).where(User.email == colleague)

    def one(column: InstrumentedAttribute[str]) -> str:
        own = select(column).where(column.class_.workspace_id == team.workspace_id)
        return db.session.scalars(own.order_by(column.class_.id).limit(1)).one()

    inviting = select(Membership).join(Membership.user).where(User.email == team.email)
    invitation, link = invite(db.session.scalars(inviting).one(), f"new-{team.email}", "viewer")
    channel = db.session.scalars(select(Channel).filter_by(workspace_id=team.workspace_id)).one()
    tester = db.session.scalars(select(User).where(User.email == team.email)).one()
    return {
        "test": send_test(channel, tester),
        "workspace": db.session.get_one(Workspace, team.workspace_id).public_id,
        "secret": team.key,
        "workflow": team.workflow_public_id,
        "uuid": create_address(team.workspace_id, workflow)[1],
        "pingkey": create_address(team.workspace_id, None)[1],
        "slug": team.slug,
        "event": one(Event.public_id),
        "run": one(Run.public_id),
        "alert": one(Alert.public_id),
        "rule": one(AlertRule.public_id),
        "channel": one(Channel.public_id),
        "window": one(MaintenanceWindow.public_id),
        "key": one(ApiKey.public_id),
        "problem": str(db.session.scalars(refused.limit(1)).one()),
        "delivery": db.session.scalars(
            sent.where(Channel.workspace_id == team.workspace_id).limit(1)
        ).one(),
        "member": db.session.scalars(member).one(),
        "invitation": invitation.public_id,
        "link": link,
        "badge": str(db.session.get_one(Workflow, team.workflow_id).badge_token),
    }

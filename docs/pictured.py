"""What pictures show and the demo does not have: more channels, and a workflow that went silent."""

from datetime import timedelta

from sqlalchemy import select

from app.channels.sealing import seal
from app.clock import now
from app.extensions import db, writing
from app.models import ApiKey, Channel, Run, Schedule, Silence, User, Workflow, Workspace
from app.workspaces.api_keys import create_api_key, revoke_api_key
from app.workspaces.schedules import Wish, set_schedule
from app.workspaces.workflows import create_workflow
from tests.apps import close_app, make_app
from tests.server import LiveServer, wait_for

CHANNELS = (
    ("Shop team", "email", {"recipients": "shop@example.org, lea@example.org"}),
    ("#automation", "slack", {"url": "https://hooks.slack.com/services/T0/B0/x"}),
    ("Night watch", "pagerduty", {"routing_key": "0" * 32, "region": "eu"}),
    ("Lea's phone", "ntfy", {"server": "https://ntfy.sh", "topic": "lea-4f1c"}),
)
RUNS, SILENT_HOURS = 30, 5
SILENT = "Stock levels"


def prepare(server: LiveServer, email: str) -> None:
    """On a live server with the demo's data, whose owner has this address."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        workspace_id = db.session.scalars(select(Workspace.id)).one()
        _add_channels(workspace_id)
        _fall_silent(server, workspace_id, email)
        db.session.remove()
    close_app(app)


def _add_channels(workspace_id: int) -> None:
    with writing() as session:
        session.add_all(
            Channel(
                workspace_id=workspace_id,
                name=name,
                kind=kind,
                sealed_settings=seal(settings),
                last_ok_at=now() - timedelta(minutes=7 + 50 * number**2),
            )
            for number, (name, kind, settings) in enumerate(CHANNELS)
        )


def _fall_silent(server: LiveServer, workspace_id: int, email: str) -> None:
    """It ran every hour until its key was revoked, and is refused since."""
    workflow_id = create_workflow(workspace_id, SILENT).id
    api_key, key = create_api_key(workspace_id, "warehouse")
    slug, key_id = db.session.get_one(Workflow, workflow_id).slug, api_key.id
    last = now() - timedelta(hours=SILENT_HOURS, minutes=20)

    def tell(hours: int, status: int) -> None:
        ended_at = (last + timedelta(hours=hours)).isoformat()
        body = {"workflow_slug": slug, "ended_at": ended_at, "duration_ms": 41_000 + 377 * hours}
        headers = {"X-API-Key": key}
        answer = server.post("/api/v1/ingest/run-success", json=body, headers=headers)
        if answer.status_code != status:
            raise SystemExit(answer.text)

    for hours in range(1 - RUNS, 1):
        tell(hours, 202)
    wait_for(lambda: _count_runs(workflow_id) == RUNS, 60, 0.2)
    set_schedule(
        db.session.get_one(Workflow, workflow_id), Wish("interval", 3_600, None, "UTC", 600)
    )
    with writing() as session:
        session.get_one(Workflow, workflow_id).created_at = last - timedelta(days=40)
        schedule = session.scalars(select(Schedule).filter_by(workflow_id=workflow_id)).one()
        schedule.expect(last + timedelta(hours=1))
    owner = db.session.scalars(select(User).filter_by(email=email)).one()
    revoke_api_key(db.session.get_one(ApiKey, key_id), owner)
    for hours in range(1, SILENT_HOURS + 1):
        tell(hours, 401)
    wait_for(lambda: _is_silent(workflow_id), 60, 0.2)


def _count_runs(workflow_id: int) -> int:
    db.session.rollback()
    return db.session.query(Run).filter_by(workflow_id=workflow_id).count()


def _is_silent(workflow_id: int) -> bool:
    db.session.rollback()
    return db.session.query(Silence).filter_by(workflow_id=workflow_id).count() > 0

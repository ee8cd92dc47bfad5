"""What pictures show and the demo does not have: more channels, a workflow that went silent, and a
key that was rotated and is still in use."""

import json
from datetime import timedelta

from playwright.sync_api import Page
from sqlalchemy import select

from app.channels.sealing import seal
from app.clock import now
from app.extensions import db, writing
from app.models import (
    ApiKey,
    Channel,
    KeyUsage,
    Run,
    Schedule,
    Silence,
    User,
    Workflow,
    Workspace,
)
from app.workspaces.api_keys import create_api_key, revoke_api_key, rotate_api_key
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
SHOP = "Web shop"
"""The key that was rotated."""
USED_DAYS, ROTATED_DAYS, OLD_DAYS = 30, 2, 5
"""How many days it was used, how long ago it was rotated, and how long the old one has still."""
SENDERS = (
    ("203.0.113.24", "n8n/1.119.2", True),
    ("203.0.113.31", "python-requests/2.32.5", True),
    ("198.51.100.7", "curl/8.14.1", False),
)
"""Address, user agent, and whether it has moved to the new key."""

CHECKS = (
    {"name": "Nightly dump", "tags": "prod db", "schedule": "30 2 * * *", "tz": "Europe/Berlin"},
    {"name": "Invoice mails", "tags": "prod", "timeout": 86_400},
    {"name": "Queue watcher", "tags": "prod", "timeout": 300},
    {"name": "Sitemap", "tags": "web", "schedule": "*/20 6-22 * * 1-5", "tz": "UTC"},
    {"name": "Certificate renewal", "desc": "Asks twice a day.", "timeout": 43_200},
    {"name": "Old FTP pull", "timeout": 30, "methods": "POST"},
    {"name": "Status\x1b page", "timeout": 600},
)
"""What a Healthchecks project lists."""


def show_import(page: Page) -> None:
    """On the page of importing: a list is chosen, and what would be made of it is shown."""
    checks = [
        {**check, "uuid": f"{number}d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20", "grace": 1_800}
        for number, check in enumerate(CHECKS)
    ]
    page.get_by_label("Or its text").fill(json.dumps({"checks": checks}))
    page.get_by_role("button", name="Show what would be made").click()
    page.get_by_text("Nothing is made yet").wait_for()


def prepare(server: LiveServer, email: str) -> None:
    """On a live server whose owner has this address."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        workspace_id = db.session.scalars(select(Workspace.id)).one()
        _add_channels(workspace_id)
        _fall_silent(server, workspace_id, email)
        _rotate(workspace_id, email)
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


def _rotate(workspace_id: int, email: str) -> None:
    """Two of its senders have the new key; the third one still has the old one."""
    at = now()
    old = create_api_key(workspace_id, SHOP)[0]
    with writing() as session:
        session.get_one(ApiKey, old.id).created_at = at - timedelta(days=USED_DAYS)
    owner = db.session.scalars(select(User).filter_by(email=email)).one()
    new = rotate_api_key(old, at + timedelta(days=OLD_DAYS), owner)[0]
    with writing() as session:
        session.get_one(ApiKey, new.id).created_at = at - timedelta(days=ROTATED_DAYS)
        for days in range(USED_DAYS):
            session.add_all(_use(old, new, days, number) for number in range(len(SENDERS)))
        for key in (old, new):
            session.get_one(ApiKey, key.id).last_used_at = at - timedelta(minutes=40)


def _use(old: ApiKey, new: ApiKey, days: int, number: int) -> KeyUsage:
    """What one sender did so many days ago, in two hours of that day."""
    address, agent, has_moved = SENDERS[number]
    last_at = now() - timedelta(days=days, minutes=40 + 25 * number)
    is_old, count = not has_moved or days > ROTATED_DAYS, 36 + 7 * number + days * 5 % 11
    return KeyUsage(
        api_key_id=(old if is_old else new).id,
        day=last_at.date(),
        remote_addr=address,
        user_agent=agent,
        count=count,
        rotated_count=count if days > ROTATED_DAYS else 0,
        last_at=last_at,
        hours=1 << last_at.hour | 1 << (last_at.hour + 9) % 24,
    )


def _count_runs(workflow_id: int) -> int:
    db.session.rollback()
    return db.session.query(Run).filter_by(workflow_id=workflow_id).count()


def _is_silent(workflow_id: int) -> bool:
    db.session.rollback()
    return db.session.query(Silence).filter_by(workflow_id=workflow_id).count() > 0

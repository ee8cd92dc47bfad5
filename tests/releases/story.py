"""What happens in an installation in 40 days, told through the app itself: a bit of everything.

All that a later version may find in a database of this one is in it. A new table needs a part here:
tests/releases/test_making.py holds that none is empty.
"""

import json
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any
from unittest.mock import patch

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.datastructures import MultiDict

from app.alerting.kinds import KINDS
from app.channels.kinds import webhook
from app.channels.sending import Answer
from app.console.reprocessing import reprocess
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import (
    BackupTurn,
    Event,
    Identity,
    Membership,
    Purge,
    RateBucket,
    UnstoredCount,
    User,
    Workflow,
    Workspace,
)
from app.processing.inbox import MAX_ATTEMPTS
from app.processing.partitions import tend_partitions
from app.processing.worker import Worker
from app.workspaces import two_factor
from app.workspaces.alert_rules import create_rule, suggest_rule
from app.workspaces.api_keys import create_api_key, revoke_api_key, rotate_api_key
from app.workspaces.badges import renew_badge
from app.workspaces.channels import add_channel
from app.workspaces.digests import want_digest
from app.workspaces.ignored_problems import ignore_problem
from app.workspaces.invitations import invite
from app.workspaces.labels import set_labels
from app.workspaces.maintenance import create_window
from app.workspaces.people import create_user, create_workspace, set_up
from app.workspaces.report_addresses import create_address
from app.workspaces.rule_drafts import read_draft
from app.workspaces.schedules import Wish, set_schedule
from app.workspaces.sessions import start_session
from app.workspaces.workflows import archive_workflow, create_workflow, rename_workflow
from tests.channels.deliveries import deliver, store_channels
from tests.console.test_two_factor import code_of
from tests.factories import PASSWORD, Team, make_alert
from tests.hostile.contents import send_everything, send_signals
from tests.hostile.payloads import PAYLOADS
from tests.processing.draining import drain
from tests.simulated_time import SimulatedTime

EMAIL = "ana@example.org"
LASTS = timedelta(days=40)
"""Longer than a month, so that PostgreSQL has events in more than one month's table."""
SOME_PAYLOADS = PAYLOADS[::14]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


class Story:
    """One telling, in an app on an empty, migrated database; `time` stands at its begin."""

    def __init__(self, app: Flask, time: SimulatedTime) -> None:
        self.app, self.time = app, time
        self.client: FlaskClient = app.test_client()
        self.worker = Worker()
        self.worker.name = "machine:1:00000000"
        self.team = self._set_up()
        self.workflow = db.session.get_one(Workflow, self.team.workflow_id)

    def tell(self) -> Team:
        """Until the moment of the release; returns who signs in, and with what to report."""
        end = self.time.at + LASTS
        self._bring_people()
        self._make_workflows()
        self._make_keys()
        self._make_alerting()
        self._report_for_weeks(end - timedelta(days=1))
        self._report_in_other_ways()
        self._send_what_is_refused()
        self._look_after()
        self._send_hostile()
        self.time.at = end - timedelta(minutes=1)
        self._have_accidents()
        self._work()
        self.time.at = end
        self.send("success", external_execution_id="waits for the worker")
        return self.team

    def send(self, kind: str, key: str | None = None, status: int = 202, **fields: Any) -> Any:
        """Report as an automation does; each in a second of its own."""
        ended = self.time.at.isoformat()
        body = {"workflow_slug": self.team.slug, "ended_at": ended, **fields}
        if kind == "start":
            body["started_at"] = body.pop("ended_at")
        if kind == "failure":
            body = {"error_message": "Time-out after 30 s", "error_type": "TimeoutError", **body}
        return self.post(f"ingest/run-{kind}", json.dumps(body), key, status)

    def post(
        self,
        path: str,
        body: str | bytes,
        key: str | None = None,
        status: int = 202,
        **headers: str,
    ) -> Any:
        kind = "text/plain" if path.startswith("ping/") else "application/json"
        sent = {"X-API-Key": key or self.team.key, "User-Agent": "n8n/2.41", "Content-Type": kind}
        answer = self.client.post(f"/api/v1/{path}", data=body, headers=sent | headers)
        assert answer.status_code == status, answer.text
        self._settle()
        return answer

    def _settle(self) -> None:
        """What is written beside the answer is there before the next request comes."""
        ingest_service().recorder.flush()
        self.time.forward(seconds=1)

    # --- who and what ---------------------------------------------------------------------------

    def _set_up(self) -> Team:
        set_up(EMAIL, PASSWORD, "Acme")
        workspace_id = db.session.scalars(select(Workspace.id)).one()
        flow = create_workflow(workspace_id, "Lead enrichment")
        key, secret = create_api_key(workspace_id, "n8n-prod")
        found = (flow.id, flow.public_id, flow.slug, flow.name)
        return Team(workspace_id, EMAIL, *found, key.id, secret)

    @property
    def owner(self) -> User:
        return db.session.scalars(select(User).where(User.email == EMAIL)).one()

    def _bring_people(self) -> None:
        workspace = db.session.get_one(Workspace, self.team.workspace_id)
        create_workspace("Second team", self.owner)
        create_user("vera@example.org", PASSWORD, "viewer", workspace)
        bo = create_user("bo@example.org", PASSWORD, "admin", workspace)
        signed_in = start_session(bo, "192.0.2.7", BROWSER)
        offer = two_factor.make_offer(bo)
        token = str(signed_in.session_token)
        two_factor.turn_on(bo, offer.sealed, code_of(offer.secret), token)
        mine = select(Membership).join(User).where(User.email == EMAIL).order_by(Membership.id)
        member = db.session.scalars(mine).first()
        assert member is not None
        want_digest(member, True)
        invite(member, "eve@example.org", "member")
        start_session(self.owner, "192.0.2.8", BROWSER)

    def _make_workflows(self) -> None:
        workspace_id = self.team.workspace_id
        self.invoices = create_workflow(workspace_id, "Invoices")
        nightly = create_workflow(workspace_id, "Nightly backup")
        set_schedule(nightly, Wish("cron", None, "30 2 * * *", "Europe/Berlin", 7_200))
        hourly = create_workflow(workspace_id, "Hourly sync")
        set_schedule(hourly, Wish("interval", 3_600, None, "UTC", 900))
        archive_workflow(create_workflow(workspace_id, "Gone"))
        set_labels(self.workflow, "shop, crm")
        renew_badge(self.workflow)
        with writing():
            self.workflow.run_url = "https://n8n.example.org/execution/{execution_id}"
            nightly.imported_from = "healthchecks:5b0a0d8c"

    def _make_keys(self) -> None:
        workspace_id = self.team.workspace_id
        create_api_key(workspace_id, "reader", ["read"])
        create_api_key(workspace_id, "one alone", workflow_ids=[self.team.workflow_id])
        old, _ = create_api_key(workspace_id, "zapier", expires_at=self.time.at + 4 * LASTS)
        rotate_api_key(old, self.time.at + timedelta(days=7), self.owner)
        self.revoked, secret = create_api_key(workspace_id, "leaked")
        revoke_api_key(self.revoked, self.owner)
        self.revoked_secret = secret
        create_address(workspace_id, self.workflow)

    def _make_alerting(self) -> None:
        workspace_id, owner = self.team.workspace_id, self.owner
        channel = {"name": "On call", "url": "https://hooks.example.org/flowpulse"}
        add_channel(workspace_id, webhook.KIND, channel, owner)
        suggest_rule(workspace_id, owner)
        for kind in KINDS.values():
            form = MultiDict({"name": kind.label, "factor": "3"})  # Of the kinds that have one.
            draft = read_draft(workspace_id, kind, form)
            assert not draft.errors, draft.errors
            create_rule(workspace_id, draft, owner)
        begin = self.time.at + timedelta(days=3)
        window = {"name": "Accounting moves", "zone": "Europe/Berlin", "is_weekly": "1"}
        window |= {"starts": f"{begin:%Y-%m-%dT12:00}", "ends": f"{begin:%Y-%m-%dT14:00}"}
        create_window(workspace_id, MultiDict(window), owner)

    # --- what is reported -----------------------------------------------------------------------

    def _report_for_weeks(self, end: datetime) -> None:
        """Two runs every day or two, each time with the worker's part."""
        turns = (("success", 2), ("success", 1), ("failure", 1), ("success", 2))
        for number, (kind, days) in enumerate(cycle(turns), 1):
            if self.time.at + timedelta(days=days) > end:
                break
            fields: dict[str, Any] = {
                "external_execution_id": f"execution-{number}",
                "correlation_id": f"order-{number // 2}",
                "source_platform": "n8n",
                "duration_ms": 1_200 + 17 * number,
                "metadata": {"items": number, "customer": {"id": f"c-{number}"}},
            }
            self.send(kind, **fields)
            self.send("success", workflow_slug="invoices", duration_ms=300.5)
            self._work()
            self.time.forward(days=days)

    def _report_in_other_ways(self) -> None:
        self.send("start", external_execution_id="opened and closed")
        self.send("success", external_execution_id="opened and closed")
        self.send("start", external_execution_id="still open")
        self.send("failure", external_execution_id="told twice")
        self.send("success", external_execution_id="told twice")
        rename_workflow(self.invoices, "Invoices to the ledger", "ledger")
        self.send("success", workflow_slug="invoices", duration_ms="12.5")  # With warnings.
        for path in ("nightly-backup", "nightly-backup/start", "nightly-backup/2", "hourly-sync"):
            self.post(f"ping/{path}", "its output\nin two lines")
        own = {"workflow_slug": self.team.slug, "ended_at": self.time.at.isoformat()}
        events = [
            {"kind": "run-success", "idempotency_key": "b1", **own},
            {"kind": "run-failure", "error_message": "", **own},
            {"kind": "run-failure", "error_message": "Rate limit of the CRM", **own},
        ]
        self.post("ingest/batch", json.dumps({"events": events}), status=207)
        for _ in range(2):
            self.post("ingest/run-success", json.dumps(own), **{"Idempotency-Key": "once"})
        self._work()

    def _send_what_is_refused(self) -> None:
        self.post("ingest/run-success", "{not JSON", status=400)
        self.post("ingest/run-success", b"\xff\xfe\x00\x80 no text at all", status=400)
        self.send("success", status=404, workflow_slug="lead-enrichmnt")
        self.send("success", status=400, workflow_slug="nowhere", ended_at="yesterday")
        self.send("success", "fp_" + "0" * 36, 401)
        self.send("success", self.revoked_secret, 401)
        self.send("success", status=404, workflow_slug="gone")

    def _look_after(self) -> None:
        """What people do about it, in the console."""
        refused = select(Event).where(Event.code == "workflow_not_found").order_by(Event.id)
        event = db.session.scalars(refused).first()
        assert event is not None
        create_workflow(self.team.workspace_id, "Typed wrongly", "lead-enrichmnt")
        reprocess(event, self.owner)
        broken = db.session.scalars(select(Event).where(Event.code == "invalid_json")).first()
        assert broken is not None
        ignore_problem(broken.workspace_id, broken.fingerprint, broken.id, self.owner)
        self._settle()
        self._let_one_die()
        self._work()

    def _let_one_die(self) -> None:
        """An event that the worker can't make a run of, given up after the last attempt."""
        answer = self.send("success", external_execution_id="can't be processed")
        mine = Event.public_id == answer.json["event_id"]
        with writing() as session:
            session.execute(update(Event).where(mine).values(payload={"ended_at": "broken"}))
        for _ in range(MAX_ATTEMPTS):
            drain()
            self.time.forward(hours=1)
        db.session.rollback()
        assert db.session.scalars(select(Event.state).where(mine)).one() == "failed"

    def _send_hostile(self) -> None:
        send_everything(self.client, self.team, SOME_PAYLOADS, self._settle)
        for payload in SOME_PAYLOADS:
            send_signals(self.client, self.team, payload)
            self._settle()
            text = payload.replace("\0", "")
            make_alert(self.team.workspace_id, self.team.workflow_id, text)
        store_channels(self.team.workspace_id, [each.replace("\0", "") for each in SOME_PAYLOADS])

    def _have_accidents(self) -> None:
        """Rows of what takes weeks, a flood, a provider or a full disk to come about."""
        at = self.time.at
        with writing() as session:
            session.add_all(
                [
                    BackupTurn(due_at=at, taken_by="here:1", begun_at=at, problem="Full."),
                    Identity(user_id=self.owner.id, issuer="https://id.example.org", subject="7"),
                    Purge(day=at.date(), why="age", what="rejected", row_count=7, last_at=at),
                    RateBucket(name="k\u00e9y 1", level=0.1 + 0.2, updated_at=1e-300),
                    UnstoredCount(minute_at=at, code="rate_limited", count=2**40),
                ]
            )

    # --- what the worker does -------------------------------------------------------------------

    def _work(self) -> None:
        """A round of all its parts but for the removal of what is past, with an other side that
        takes every message."""
        ingest_service().usage.sync()
        tend_partitions()
        self.worker.beat()
        drain()
        self.time.forward(seconds=2)
        self.worker.judge()
        self.worker.watch()
        with patch.object(webhook, "send", lambda sending: Answer(200, "ok")):
            deliver()
        db.session.rollback()

"""Has a server hold each payload in each place that takes text from outside."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import func, select

from app.extensions import db
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    Channel,
    Delivery,
    Event,
    Run,
    Workflow,
    Workspace,
)
from app.signs import show_signs
from app.workspaces.api_keys import create_api_key
from app.workspaces.people import RefusedError
from app.workspaces.workflows import create_workflow
from tests.channels.deliveries import store_channels
from tests.factories import make_alert
from tests.hostile.payloads import PAYLOADS
from tests.server import wait_for

LONGEST = 500
"""Signs of the one payload that is longer than all others together."""


class Server(Protocol):
    """What takes requests: a live server, or an app's test client."""

    def post(self, path: str, **options: Any) -> Any: ...


class Sender(Protocol):
    """Whose requests they are."""

    @property
    def slug(self) -> str: ...

    @property
    def headers(self) -> dict[str, str]: ...


def name_everything() -> None:
    """Workflows and keys by the payloads' names, as far as a name may hold them."""
    workspace_id = db.session.scalars(select(Workspace.id)).one()
    for payload in PAYLOADS:
        for make in (create_workflow, create_api_key):
            try:
                extra = [["ingest"]] if make is create_api_key else []
                make(workspace_id, payload, *extra)
            except RefusedError:
                continue
    store_channels(workspace_id, [each.replace("\0", "") for each in PAYLOADS])


def make_alerts() -> None:
    """Each payload as the name of a rule, a window and a label, in an alert and its message."""
    workflows = db.session.execute(select(Workflow.workspace_id, Workflow.id)).all()
    for payload, (workspace_id, workflow_id) in zip(PAYLOADS, workflows, strict=False):
        make_alert(workspace_id, workflow_id, payload.replace("\0", ""))


def send_everything(
    server: Server,
    team: Sender,
    payloads: Sequence[str] = PAYLOADS,
    after_each: Callable[[], None] = lambda: None,
) -> None:
    """Each payload in each place, in a request of its own for each kind of answer."""
    for number, payload in enumerate(payloads):
        headers = {**team.headers, **hostile_headers(payload)}
        fields = {
            "workflow_slug": team.slug,
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": f"{number}{payload}"[:255],
            "correlation_id": payload[:255],
            "source_platform": payload[:64],
            "source_workflow_id": payload[:255],
            "metadata": {payload[:500]: payload},
            payload[:500]: payload,
        }
        failed = {**fields, "error_message": payload, "error_type": payload[:255]}
        wrong = dict.fromkeys((*fields, "workflow_id", "workflow_name", "duration_ms"), payload)
        sent = (
            ("run-success", json.dumps(without_nul(fields)), headers),
            ("run-failure", json.dumps({**without_nul(failed), "error_message": payload}), headers),
            ("run-failure", json.dumps({**fields, "workflow_slug": payload[:255]}), headers),
            ("run-success", json.dumps(wrong), headers),
            ("run-success", payload.encode(), headers),
            (f"{quote(payload[:300])}?q={quote(payload[:300])}", "{}", headers),
            ("run-success", "{}", {**headers, "X-API-Key": as_header(payload)}),
        )
        for place, (path, body, own) in enumerate(sent):
            own = {**own, "Idempotency-Key": f"{number}-{place} {as_header(payload)}"[:255]}
            answer = server.post(f"/api/v1/ingest/{path}", data=body, headers=own)
            assert answer.status_code < 500, answer.text
            after_each()
    for name in ("X-<img/src=x/onerror=window.__pwned=1>", "X-{{7*7}}-pwned", 'X-"><svg/onload=1>'):
        server.post(
            "/api/v1/ingest/run-success", data="{}", headers={**team.headers, name: "pwned"}
        )
        after_each()


def send_all_signals(server: Server, team: Sender) -> None:
    """Each payload in starts and pings."""
    for payload in PAYLOADS:
        send_signals(server, team, payload)


def send_signals(server: Server, team: Sender, payload: str) -> None:
    """Starts, which stay open, and pings."""
    headers = {**team.headers, **hostile_headers(payload)}
    started = {"workflow_slug": team.slug, "started_at": "2026-01-15T09:31:00Z"}
    started["external_execution_id"] = f"open {payload}".replace("\0", "")[:255]
    answer = server.post("/api/v1/ingest/run-start", data=json.dumps(started), headers=headers)
    assert answer.status_code < 500, answer.text
    rid, slug = (quote(each, safe="") for each in (f"ping {payload}"[:100], payload[:60]))
    for place in (f"{team.slug}/1", f"{team.slug}/start?rid={rid}", slug):
        answer = server.post(f"/api/v1/ping/{place}", data=payload.encode(), headers=headers)
        assert answer.status_code < 500, answer.text


AT_ONCE = 5
"""Events that `send_all_at_once` makes."""


def send_all_at_once(server: Server, team: Sender) -> None:
    """All payloads on one event's page: in its headers, and in each kind of body."""
    many = {f"X-Pwned-{number}": as_header(each) for number, each in enumerate(PAYLOADS[:80])}
    short = [each[:500] for each in PAYLOADS]
    fields = {
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "error_message": "\n".join(short),
        "metadata": {each: [each] for each in short},
    }
    started = {
        "workflow_slug": team.slug,
        "started_at": "2026-01-15T09:31:00Z",
        "external_execution_id": "all at once",
        "metadata": fields["metadata"],
    }
    sent = (
        ("ingest/run-failure", json.dumps(fields)),
        (
            "ingest/run-failure",
            json.dumps({**fields, **{each: each for each in short}, "ended_at": short[0]}),
        ),
        ("ingest/run-failure", "\n".join(short)),
        ("ingest/run-start", json.dumps(started)),
        (f"ping/{team.slug}/fail", "\n".join(short)),
    )
    assert len(sent) == AT_ONCE
    for path, body in sent:
        headers = {**many, **team.headers}
        answer = server.post(f"/api/v1/{path}", data=body.encode(), headers=headers)
        assert answer.status_code in (202, 400), answer.text


def join_payloads(most: int, size: Callable[[str], int] = len) -> list[str]:
    """All payloads, one after the other, in as few texts as hold them: of at most so many signs
    each, or of such a `size`. One that is longer is cut by itself."""
    texts = [""]
    for payload in PAYLOADS:
        payload = payload[: min(most, LONGEST)]
        joint = f"{texts[-1]} {payload}".strip()
        texts[-1:] = [joint] if size(joint) <= most else [texts[-1], payload]
    return texts


def hostile_headers(payload: str) -> dict[str, str]:
    names = ("User-Agent", "Content-Type", "X-Pwned", "Referer", "Accept-Language", "Origin")
    return {name: as_header(payload) for name in names}


def as_header(payload: str) -> str:
    """What HTTP can carry of it."""
    kept = "".join(sign for sign in payload if sign.isprintable() or ord(sign) > 160)
    return kept.encode()[:1000].decode("latin-1").strip()


def without_nul(fields: dict[str, object]) -> dict[str, object]:
    """Identifiers with NUL are refused; the other kinds of request hold it."""
    return {
        name: value.replace("\0", "") if isinstance(value, str) else value
        for name, value in fields.items()
    }


def find_ids() -> tuple[dict[str, str], dict[str, list[str]]]:
    """What failed runs' pages must show; and ids of what was made: of most kinds a sample, since
    tests/hostile/test_hostile_details.py has one of each kind go through all payloads."""

    def waiting() -> int:
        db.session.rollback()
        accepted = select(func.count()).where(Event.state == "accepted")
        return db.session.scalar(accepted) or 0

    wait_for(lambda: waiting() == 0, 60, 0.2)
    events = db.session.scalars(select(Event).order_by(Event.id)).all()
    failures = {
        f"/events/{event.public_id}": show_signs(event.run.error_message.replace("\0", "\ufffd"))
        for event in events
        if event.run is not None and event.run.error_message
    }
    failures = {path: text for path, text in failures.items() if len(text) < 5_000}
    ids = {
        "event": pick_events(events),
        "workflow": list(db.session.scalars(select(Workflow.public_id)))[::25],
        "alert": list(db.session.scalars(select(Alert.public_id)))[::25],
        "rule": list(db.session.scalars(select(AlertRule.public_id)))[::25],
        "run": list(db.session.scalars(select(Run.public_id).order_by(Run.id.desc()).limit(3))),
        "key": list(db.session.scalars(select(ApiKey.public_id)))[::25],
        "problem": [str(event.fingerprint) for event in events if event.fingerprint][-1:],
        "channel": list(db.session.scalars(select(Channel.public_id)))[::6],
        "delivery": list(db.session.scalars(select(Delivery.public_id)))[::4],
    }
    return failures, ids


def pick_events(events: Sequence[Event]) -> list[str]:
    """The last ones, which hold all payloads, and one more of each kind."""
    kinds = {(event.state, event.code, event.kind): event.public_id for event in events[:-AT_ONCE]}
    return [*kinds.values(), *(event.public_id for event in events[-AT_ONCE:])]

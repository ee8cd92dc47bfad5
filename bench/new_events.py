"""Events as the ingest service writes them, for what is measured without a server."""

import json
from collections.abc import Sequence
from typing import NamedTuple, cast

from app.clock import now
from app.identifiers import new_id
from app.ingest.records import NewEvent
from tests.factories import Team


class Sender(NamedTuple):
    """Whose events are made, by ids."""

    workspace_id: int
    workflow_id: int
    api_key_id: int


class Batch(NamedTuple):
    """Events that one commit writes."""

    events: Sequence[NewEvent]

    def take(self) -> Sequence[NewEvent]:
        return self.events

    def give_back(self) -> None:
        raise RuntimeError("nobody else writes")


def make_event(team: Team | Sender) -> NewEvent:
    moment, execution = now(), f"bench-{new_id()}"
    fields = {"ended_at": moment.isoformat(), "external_execution_id": execution}
    payload = json.dumps({**fields, "note": "x" * 200})
    row = dict.fromkeys(NewEvent._fields) | {
        "public_id": new_id(),
        "workspace_id": team.workspace_id,
        "api_key_id": team.api_key_id,
        "workflow_id": team.workflow_id,
        "received_at": moment,
        "state": "accepted",
        "kind": "run-success",
        "platform": "n8n",
        "method": "POST",
        "path": "/api/v1/ingest/run-success",
        "headers": '[["Content-Type","application/json"]]',
        "body": payload.encode(),
        "remote_addr": "10.0.0.7",
        "user_agent": "n8n",
        "status": 202,
        "took_ms": 1.5,
        "payload": payload,
        "next_attempt_at": moment,
    }
    return NewEvent(**cast(dict[str, object], row))  # type: ignore[arg-type]

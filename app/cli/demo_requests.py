"""The requests that tell of the demo's month, taken in by the rules of the ingest service."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from random import Random

from werkzeug.test import EnvironBuilder

from app.cli.demo_keys import DemoKeys
from app.cli.demo_month import Execution
from app.cli.demo_workflows import Platform
from app.cli.server import server_address
from app.ingest.authentication import read_credential
from app.ingest.body import read_object
from app.ingest.intake import Environ, Intake
from app.ingest.kept_texts import MAX_STORED_BODY
from app.ingest.records import NewEvent
from app.ingest.references import REFERENCES, find_workflow
from app.ingest.rejections import as_rejected
from app.ingest.schemas import EVENT_KINDS, validate
from app.ingest.store import Store
from app.keys import is_well_formed
from app.models import Workflow
from app.problems import ProblemError

MISNAMED = ("invoice-snyc-demo", "lead-enrichmnt-demo")
"""Slugs of no workflow: such a request belongs to none, and goes with the demo all the same."""
_TIME = re.compile(r'(?<="ended_at": ")[^"]+')

KeyChoice = Callable[[DemoKeys], str | None]
"""What stands in the header of a request that comes with a wrong key."""


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What a platform sent; `key` is its X-API-Key header, if it is not the one of that time."""

    received_at: datetime
    workflow: Workflow
    platform: Platform
    kind: str
    body: str
    key: KeyChoice | None = None


@dataclass(frozen=True, slots=True)
class Slip:
    """A request that is refused: one of the month's, sent once more with a mistake."""

    hours_ago: float
    edit: Callable[[str], str] = str
    kind: str | None = None
    key: KeyChoice | None = None

    def fits(self, request: DemoRequest) -> bool:
        """Whether the request becomes a mistake; a field to be spoilt may not be in it."""
        spoilt = (self.edit(request.body), self.kind or request.kind)
        is_spoilt = self.key is not None or spoilt != (request.body, request.kind)
        return request.kind == "run-success" and is_spoilt


def _misname(body: str, slug: str) -> str:
    return re.sub(r'("workflow_\w+": ")[^"]+', rf"\g<1>{slug}", body)


SLIPS = (
    Slip(140, lambda body: body.replace('"ended_at"', '"endedAt"')),
    Slip(139.9, lambda body: _TIME.sub("{{ $json.finished }}", body)),
    Slip(118, key=lambda keys: None),
    Slip(117.8, key=lambda keys: keys.new[:-6]),
    Slip(116, key=lambda keys: keys.old),
    Slip(115.9, key=lambda keys: keys.old),
    Slip(101, lambda body: _TIME.sub(lambda match: match[0][:10], body)),
    Slip(77, lambda body: re.sub(r'"duration_ms": [^,]+', '"duration_ms": ', body)),
    Slip(76.5, lambda body: body[: len(body) * 2 // 3]),
    Slip(53, lambda body: _misname(body, MISNAMED[0])),
    Slip(31, key=lambda keys: keys.old),
    Slip(30, kind="run-failure"),
    Slip(29, lambda body: body.replace('"', "'")),
    Slip(5, lambda body: body.replace('"ended_at"', '"endedAt"')),
    Slip(0.4, lambda body: _misname(body, MISNAMED[1])),
)
"""They lie within the days that refused requests are kept."""


def make_requests(
    month: Iterable[Execution], workflows: dict[str, Workflow], until: datetime, random: Random
) -> list[DemoRequest]:
    """In the order of arrival, the slips among them; `workflows` are the rows by name."""
    month = list(month)
    good = [_tell(execution, workflows[execution.workflow.name], random) for execution in month]
    starts = [
        _tell_start(execution, workflows[execution.workflow.name])
        for execution in month
        if execution.workflow.sends_start
    ]
    return sorted(
        (
            request
            for request in [*good, *starts, *_slip(good, until)]
            if request.received_at < until
        ),
        key=lambda request: request.received_at,
    )


def _tell(execution: Execution, workflow: Workflow, random: Random) -> DemoRequest:
    platform = execution.workflow.platform
    duration = (execution.ended_at - execution.started_at) // timedelta(milliseconds=1)
    error_type, error_message = execution.error or (None, None)
    fields = {
        platform.reference: getattr(workflow, REFERENCES[platform.reference]),
        "started_at": None if platform.sends_duration else _write(execution.started_at, platform),
        "ended_at": _write(execution.ended_at, platform),
        "duration_ms": duration if platform.sends_duration else None,
        "external_execution_id": execution.execution_id,
        "source_platform": platform.name,
        "correlation_id": execution.correlation_id,
        "error_type": error_type,
        "error_message": error_message,
        "metadata": execution.counts,
    }
    return DemoRequest(
        execution.ended_at + timedelta(seconds=random.uniform(0.05, 1.5)),
        workflow,
        platform,
        "run-failure" if execution.error else "run-success",
        json.dumps({name: value for name, value in fields.items() if value is not None}),
    )


def _tell_start(execution: Execution, workflow: Workflow) -> DemoRequest:
    platform = execution.workflow.platform
    fields = {
        platform.reference: getattr(workflow, REFERENCES[platform.reference]),
        "started_at": _write(execution.started_at, platform),
        "external_execution_id": execution.execution_id,
        "source_platform": platform.name,
    }
    at = execution.started_at + timedelta(milliseconds=200)
    return DemoRequest(at, workflow, platform, "run-start", json.dumps(fields))


def _write(moment: datetime, platform: Platform) -> str:
    offset = "Z" if platform.sends_offset else ""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", offset)


def _slip(good: list[DemoRequest], until: datetime) -> Iterator[DemoRequest]:
    """Each slip, made of a success that came shortly before; it is sent a few seconds later."""
    for slip in SLIPS:
        at = until - timedelta(hours=slip.hours_ago)
        before = (each for each in reversed(good) if each.received_at < at)
        model = next(each for each in before if slip.fits(each))
        yield DemoRequest(
            max(at, model.received_at + timedelta(seconds=3)),
            model.workflow,
            model.platform,
            slip.kind or model.kind,
            slip.edit(model.body),
            slip.key,
        )


def take_in(
    request: DemoRequest, keys: DemoKeys, store: Store, due_at: datetime, took_ms: float
) -> NewEvent:
    """The row of the log for the request: what the ingest service would have made of it."""
    used = keys.used_at(request.received_at, request.platform.name)
    key = request.key(keys) if request.key else used
    intake = Intake(_environ(request, key), request.kind)
    intake.api_key = keys.known.get(key or "")
    intake.received_at = request.received_at
    workspace_id = request.workflow.workspace_id
    workflow_id: int | None = request.workflow.id
    try:
        payload, warnings = _accept(intake, store, request.workflow)
    except ProblemError as problem:
        event = as_rejected(intake, problem)
    else:
        platform = request.platform.name
        event = intake.as_event(
            "accepted", 202, platform=platform, payload=payload, warnings=warnings
        )
        event = event._replace(next_attempt_at=due_at)
    # A refused one has its workflow too, so that it goes when the demo goes; but for one that names
    # none: its page would show that workflow beside "No workflow has …".
    if event.code == "workflow_not_found":
        workflow_id = None
    return event._replace(workspace_id=workspace_id, workflow_id=workflow_id, took_ms=took_ms)


def _accept(intake: Intake, store: Store, workflow: Workflow) -> tuple[str, str | None]:
    """Payload and warnings as JSON; raises ProblemError."""
    body = intake.read_body(MAX_STORED_BODY, seconds=1)
    if not is_well_formed(read_credential(intake)):
        raise ProblemError("malformed_api_key")
    revoked_at = intake.api_key.revoked_at if intake.api_key else None
    if revoked_at and revoked_at <= intake.received_at:
        raise ProblemError("revoked_api_key")
    read = read_object(body, intake.environ["CONTENT_TYPE"])
    intake.members = read
    fields = validate(EVENT_KINDS[str(intake.kind)], read, intake.received_at)
    if any(fields.get(name, own) != own for name, own in _references(workflow)):
        find_workflow(store, workflow.workspace_id, fields, read.warnings)
    warnings = [warning.as_dict() for warning in read.warnings]
    return _pack(fields), _pack(warnings) if warnings else None


def _pack(value: object) -> str:
    """As what is taken in is kept, so that a search finds a code in it."""
    return json.dumps(value, separators=(",", ":"))


def _references(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The fields that can name the workflow, with what they must hold."""
    return ((name, getattr(workflow, column)) for name, column in REFERENCES.items())


def _environ(request: DemoRequest, key: str | None) -> Environ:
    body = request.body.encode()
    return {
        **_environ_without_body(request.platform, request.kind, key),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


@cache
def _environ_without_body(platform: Platform, kind: str, key: str | None) -> Environ:
    """Made once for all requests that differ in their bodies alone: it takes its time."""
    path = f"/api/v1/ingest/{kind}"
    headers = [("User-Agent", platform.user_agent), ("Accept", "*/*")]
    if key:
        headers.append(("X-API-Key", key))
    builder = EnvironBuilder(
        path,
        base_url=server_address(),
        method="POST",
        content_type="application/json",
        headers=headers,
        environ_overrides={"REMOTE_ADDR": platform.remote_addr, "RAW_URI": path},
    )
    return builder.get_environ()

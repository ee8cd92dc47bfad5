"""Addresses as other monitors have them, so that their senders move over by a host name alone."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, request
from slugify import slugify
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BaseConverter

from app.address_secrets import UUID_FORM
from app.answers import dump
from app.identifiers import is_id
from app.ingest.acceptance import check_headers, find_first_answer, read_claim, take_in
from app.ingest.body import ReadBody
from app.ingest.foreign_forms import (
    CRONITOR,
    HEALTHCHECKS,
    LOG,
    UPTIME_KUMA,
    UUID,
    UUID_LENGTH,
    Form,
    Told,
)
from app.ingest.intake import Intake, open_intake
from app.ingest.pings import (
    MESSAGE_BYTES,
    Signal,
    find_execution,
    may_hold_nul,
    read_message,
    write_members,
)
from app.ingest.records import IdempotentClaim, KnownKey, KnownWorkflow
from app.ingest.references import find_workflow, read_allowed, require_allowed
from app.ingest.schemas import EventKind
from app.ingest.secret_addresses import hide_secret, require_address
from app.ingest.service import IngestService, ingest_service
from app.keys import fold_address
from app.models import SLUG_LENGTH
from app.problems import ProblemError
from app.request_log import TOLD

REFUSAL = "flowpulse.refusal"
"""Where the errors' door finds, in the environ, how a sender is refused in its own terms."""
METHODS = ("GET", "HEAD", "POST")
UUID_AT_ROOT = UUID_FORM
PING_KEY_AT_ROOT = "[0-9A-Za-z_-]{22}"
_STORED = re.compile(r"(?P<form>/api/push|/p|/ping|)/(?P<secret>[^/*]+\*+)(?P<rest>(?:/[^/]*)*)$")
"""An address as the log keeps it."""
_STORED_FORMS = {"/api/push": UPTIME_KUMA, "/p": CRONITOR}

blueprint = Blueprint("foreign_pings", __name__)


class _ForeignIntake(Intake):
    """Senders of other monitors are told 200."""

    __slots__ = ()
    accepted_status = 200


class _UuidConverter(BaseConverter):
    """A check's address at hc-ping.com stands at the root."""

    regex = UUID_AT_ROOT


class _PingKeyConverter(BaseConverter):
    """So does a ping key there: 16 bytes in base64."""

    regex = PING_KEY_AT_ROOT


def ping_healthchecks(first: str, second: str = "", third: str = "") -> Response:
    """`{uuid}[/signal]` or `{ping key}/{slug}[/signal]`."""
    if UUID.fullmatch(first) and not third:
        return _accept(HEALTHCHECKS, first, None, second)
    return _accept(HEALTHCHECKS, first, second or None, third)


def push_uptime_kuma(token: str) -> Response:
    return _accept(UPTIME_KUMA, token, None)


def ping_cronitor(key: str, slug: str) -> Response:
    return _accept(CRONITOR, key, slug)


def _accept(form: Form, secret: str, slug: str | None, signal: str = "") -> Response:
    """Take one request in, as if its event had been sent; raises ProblemError where it is refused,
    which the errors' door answers in the form's own terms."""
    if not current_app.config["FLOWPULSE_COMPATIBILITY"]:
        abort(404)
    service, environ = ingest_service(), request.environ
    environ[REFUSAL] = form.refuse
    hide_secret(environ, secret)
    intake = open_intake(environ, None, _ForeignIntake)
    try:
        key = require_address(intake, fold_address(secret), service)
    except ProblemError:
        with suppress(ProblemError):  # Of one that has ended, it is known what it would have told.
            _read_told(service, intake, form, slug, signal)
        raise
    told = _read_told(service, intake, form, slug, signal)
    raw = _read_said(service, intake, told)
    kind = told.signal.event.name if told.signal else LOG
    address = f"{request.path}?{request.query_string.decode('latin-1')}\n".encode()
    claim = read_claim(intake, key.workspace_id, kind, address + raw[:MESSAGE_BYTES])
    first = find_first_answer(service, claim)
    if first:
        event_id = str(first["event_id"])
    elif told.signal is None:
        event_id = _keep_text(service, intake, key, raw, claim)
    else:
        event_id = _take_run(service, intake, key, told, told.signal, raw, claim)
    environ[TOLD] = {"event_id": event_id}
    return form.accept()


def _read_told(
    service: IngestService, intake: Intake, form: Form, slug: str | None, signal: str
) -> Told:
    """What it says; the log tells its workflow and its kind, as far as they are known, whatever
    becomes of it."""
    if intake.api_key:
        intake.members = _name_workflow(service, intake.api_key, slug)
    told = form.read(signal, request.args)
    if intake.api_key:
        intake.kind = told.signal.kind if told.signal else LOG
    return told


def _read_said(service: IngestService, intake: Intake, told: Told) -> bytes:
    """The text that goes with it: the body, if it is not among the parameters."""
    raw = intake.read_beginning(MESSAGE_BYTES, service.body_timeout_seconds)
    if told.message is not None:
        return told.message.encode("utf-8", "replace")
    is_plain = intake.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() == "identity"
    return raw if is_plain else b""


def _take_run(
    service: IngestService,
    intake: Intake,
    key: KnownKey,
    told: Told,
    signal: Signal,
    raw: bytes,
    claim: IdempotentClaim | None,
) -> str:
    """The id of its event."""
    named = intake.members
    workflow = find_workflow(service.store, key.workspace_id, named, [])
    execution = told.execution or find_execution(service, intake, signal, workflow)
    members = {**named, **write_members(signal, execution, raw, intake.received_at), **told.fields}
    body = ReadBody(members, [], odd_characters=may_hold_nul(request.query_string))
    return str(take_in(service, intake, signal.event, body, claim)[0]["event_id"])


def _keep_text(
    service: IngestService,
    intake: Intake,
    key: KnownKey,
    raw: bytes,
    claim: IdempotentClaim | None,
) -> str:
    """In the log, as an event that nobody has to work on: it tells of no run. Its id."""
    wrong = check_headers(intake)
    if wrong:
        raise ProblemError("validation_failed", errors=wrong)
    workflow = find_workflow(service.store, key.workspace_id, intake.members, [])
    require_allowed(key, workflow, intake.members)
    event = intake.as_event(
        "processed",
        intake.accepted_status,
        workflow_id=workflow.id,
        payload=dump({"metadata": {"message": read_message(raw)}}),
    )
    answer = dump({"event_id": intake.event_id, "status": "accepted"})
    service.recorder.record(event, claim._replace(answer=answer) if claim else None)
    return intake.event_id


def _name_workflow(service: IngestService, key: KnownKey, slug: str | None) -> dict[str, str]:
    """The field that names the workflow, and its value.

    Raises ProblemError `unknown_address` where an address of all workflows names none, or where
    the workflow is gone.
    """
    if slug is not None:
        return {"workflow_slug": _find_slug(service, key, slug)}
    allowed = read_allowed(key)
    workflow: KnownWorkflow | None = None
    if len(allowed) == 1:
        workflow = service.store.find_workflow_by_id(key.workspace_id, *allowed)
    if workflow is None:
        raise ProblemError(
            "unknown_address", "This address is of no single workflow: its slug has to follow it."
        )
    return {"workflow_id": workflow.public_id}


def _find_slug(service: IngestService, key: KnownKey, slug: str) -> str:
    """The slug or, where no workflow has it, what became of it here: others take `_` in one."""
    here = slugify(slug, max_length=SLUG_LENGTH)
    if here == slug or service.store.find_workflow(key.workspace_id, "slug", slug):
        return slug
    return here if service.store.find_workflow(key.workspace_id, "slug", here) else slug


def read_foreign_report(
    path: str, reference: str, raw: bytes, at: datetime
) -> tuple[EventKind, bytes]:
    """The report that a stored request stood for, about this workflow: its kind and its body as
    JSON, as `read_report` does it for pings. Raises ProblemError for another address."""
    parts = urlsplit(path)
    found = _STORED.search(unquote(parts.path))
    if found is None:
        raise ProblemError("not_found")
    form = _STORED_FORMS.get(found["form"], HEALTHCHECKS)
    ends = [*found["rest"].strip("/").split("/"), ""]
    is_of_one = len(found["secret"]) == UUID_LENGTH
    signal = ends[0 if is_of_one else 1] if form is HEALTHCHECKS else ""
    told = form.read(signal, MultiDict(parse_qsl(parts.query, keep_blank_values=True)))
    if told.signal is None:
        raise ProblemError("not_found")
    said = raw if told.message is None else told.message.encode("utf-8", "replace")
    field = "workflow_id" if is_id(reference) else "workflow_slug"
    members = {field: reference, **write_members(told.signal, told.execution, said, at)}
    body = json.dumps(members | told.fields, indent=2, ensure_ascii=False)
    return told.signal.event, body.encode()


_RULES: dict[str, Callable[..., Response]] = {
    "/ping/<first>": ping_healthchecks,
    "/ping/<first>/<second>": ping_healthchecks,
    "/ping/<first>/<second>/<third>": ping_healthchecks,
    "/<report_uuid:first>": ping_healthchecks,
    "/<report_uuid:first>/<second>": ping_healthchecks,
    "/<ping_key:first>/<second>": ping_healthchecks,
    "/<ping_key:first>/<second>/<third>": ping_healthchecks,
    "/api/push/<token>": push_uptime_kuma,
    "/p/<key>/<slug>": ping_cronitor,
}
for _rule, _view in _RULES.items():
    blueprint.add_url_rule(
        _rule,
        endpoint=_view.__name__,
        view_func=_view,
        methods=METHODS,
        strict_slashes=False,
        provide_automatic_options=False,
    )


def init_foreign_pings(app: Flask) -> None:
    """Whether they are answered, FLOWPULSE_COMPATIBILITY says."""
    app.url_map.converters.update(report_uuid=_UuidConverter, ping_key=_PingKeyConverter)
    app.register_blueprint(blueprint)

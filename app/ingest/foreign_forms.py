"""What the senders of other monitors say, and the answers that they are used to.

Healthchecks: https://healthchecks.io/docs/http_api/; Uptime Kuma's push monitors; Cronitor:
https://cronitor.io/docs/telemetry-api.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response
from werkzeug.datastructures import MultiDict

from app.address_secrets import UUID_FORM
from app.answers import API_HEADERS, JSON, JsonAnswer
from app.ingest.pings import FAIL, MESSAGE_BYTES, MOST_STATUS, PING, START, Signal, read_signal
from app.ingest.schemas import EVENT_KINDS
from app.problems import FieldError, ProblemError

LOG = "ping-log"
"""The kind of a text that is kept in the log, and tells of no run."""
MOST_KUMA_MS = 100_000_000_000
"""Uptime Kuma takes no longer ping."""
UUID = re.compile(UUID_FORM)
UUID_LENGTH = 36
WRONG_RID = "invalid uuid format: rid has to be a UUID, as `uuidgen` prints it."
WRONG_STATUS = f"invalid url format: an exit status goes from 0 to {MOST_STATUS}."
WRONG_STATE = "unknown state: send run, complete, ok or fail."
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE | re.ASCII)
_STATUS = re.compile(r"\d{1,3}", re.ASCII)
_PLAIN = "text/plain; charset=utf-8"
_UP = Signal(PING, EVENT_KINDS["run-success"])
_DOWN = Signal(FAIL, EVENT_KINDS["run-failure"])
_RUN = Signal(START, EVENT_KINDS["run-start"])
Parameters = MultiDict[str, str]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What a request says: without a signal, a text for the log alone.

    `message` stands for the body where it is not None; `fields` are further ones of the event.
    """

    signal: Signal | None
    execution: str | None = None
    message: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """How a monitor's senders are understood and answered.

    `read` takes the last part of the address and its parameters, and raises ProblemError; `say` is
    what the body of a refusal says.
    """

    read: Callable[[str, Parameters], Told]
    accept: Callable[[], Response]
    refuse: Callable[[ProblemError, Headers], Response]
    say: Callable[[ProblemError], Any]


# --- Healthchecks -------------------------------------------------------------------------------


def _read_healthchecks(signal: str, parameters: Parameters) -> Told:
    told = None if signal == "log" else _read_signal(signal)
    execution = parameters.get("rid")
    if execution is not None and not UUID.fullmatch(execution):
        raise ProblemError("bad_request", WRONG_RID)
    return Told(told, execution.lower() if execution else None)


def _read_signal(text: str) -> Signal:
    if text.isascii() and text.isdigit() and int(text[:9]) > MOST_STATUS:
        raise ProblemError("bad_request", WRONG_STATUS)
    return read_signal(text)


def _accept_text() -> Response:
    answer = Response("OK", 200, content_type=_PLAIN)
    answer.headers.update(API_HEADERS)
    answer.headers["Ping-Body-Limit"] = str(MESSAGE_BYTES)
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


def _say_as_text(problem: ProblemError) -> str:
    """Its words: `not found` for whatever is not there; the log says which it was."""
    words = {404: "not found", 429: "rate limited", 400: problem.detail.partition(":")[0]}
    return words.get(problem.status, problem.problem.title)


def _refuse_as_text(problem: ProblemError, headers: Headers) -> Response:
    answer = Response(_say_as_text(problem), problem.status, content_type=_PLAIN)
    answer.headers.update({**API_HEADERS, **headers})
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


# --- Uptime Kuma --------------------------------------------------------------------------------


def _read_kuma(_: str, parameters: Parameters) -> Told:
    """Whatever is not `up` is down, as there."""
    is_up = (parameters.get("status") or "up") == "up"
    told, message = (_UP if is_up else _DOWN), parameters.get("msg") or ""
    if is_up and message == "OK":
        message = ""  # What it sends where nobody wrote anything.
    taken = _read_number(parameters.get("ping"))
    if taken is not None and not 0 <= taken <= MOST_KUMA_MS:
        message, given = say_wrong_ping(taken), parameters["ping"]
        errors = [FieldError("ping", "out_of_range", message, received=given)]
        raise ProblemError("validation_failed", errors=errors)
    return Told(told, None, message, {} if not taken else {"duration_ms": taken})


def say_wrong_ping(ms: float) -> str:
    return f"ping is {ms:g}; it goes from 0 to {MOST_KUMA_MS} ms."


def _read_number(text: str | None) -> float | None:
    """As far as it is one, as JavaScript's parseFloat reads it."""
    found = _NUMBER.match(text or "")
    number = float(found[1]) if found else 0.0
    return number if found and math.isfinite(number) else None


def _accept_kuma() -> Response:
    return JsonAnswer({"ok": True}, 200, JSON, {})


def _say_as_kuma(problem: ProblemError) -> dict[str, Any]:
    words = {404: "Monitor not found or not active."}
    return {"ok": False, "msg": words.get(problem.status, problem.detail)}


def _refuse_kuma(problem: ProblemError, headers: Headers) -> Response:
    return JsonAnswer(_say_as_kuma(problem), problem.status, JSON, headers)


# --- Cronitor -----------------------------------------------------------------------------------

STATES = {"run": _RUN, "complete": _UP, "ok": _UP, "fail": _DOWN, "": _UP}
"""What `state` may be."""


def _read_cronitor(_: str, parameters: Parameters) -> Told:
    """Without a state it is a heartbeat."""
    told = STATES.get(parameters.get("state", ""))
    if told is None:
        raise ProblemError("bad_request", WRONG_STATE)
    status = parameters.get("status_code", "")
    if told is not _RUN and _STATUS.fullmatch(status) and int(status) <= MOST_STATUS:
        told = Signal(told.kind, told.event, int(status))
    metrics = dict(each.split(":", 1) for each in parameters.getlist("metric") if ":" in each)
    seconds = _read_number(metrics.get("duration"))
    fields = {"duration_ms": seconds * 1_000} if seconds and 0 < seconds < MOST_KUMA_MS else {}
    series = (parameters.get("series") or "")[:255] or None
    return Told(told, series, parameters.get("message"), {} if told is _RUN else fields)


HEALTHCHECKS = Form(_read_healthchecks, _accept_text, _refuse_as_text, _say_as_text)
UPTIME_KUMA = Form(_read_kuma, _accept_kuma, _refuse_kuma, _say_as_kuma)
CRONITOR = Form(_read_cronitor, _accept_text, _refuse_as_text, _say_as_text)

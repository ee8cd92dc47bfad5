"""How the addresses of other monitors are described, where FLOWPULSE_COMPATIBILITY is on."""

from typing import Any

from apispec import APISpec

from app.api.refusals import describe_refusal, describe_refusals, group_by_status
from app.api.reports import IDEMPOTENCY_KEY, MESSAGE
from app.api.shapes import in_path
from app.api.taken import NO_NUL
from app.ingest.acceptance import MAX_IDEMPOTENCY_KEY
from app.ingest.foreign_forms import (
    CRONITOR,
    HEALTHCHECKS,
    MOST_KUMA_MS,
    STATES,
    UPTIME_KUMA,
    WRONG_RID,
    WRONG_STATE,
    WRONG_STATUS,
    Form,
    say_wrong_ping,
)
from app.ingest.foreign_pings import PING_KEY_AT_ROOT, UUID_AT_ROOT
from app.ingest.pings import MESSAGE_BYTES
from app.problems import ProblemError

TAG = "Addresses of other monitors"
ABOUT = (
    "As Healthchecks, Uptime Kuma and Cronitor give them out, so that their senders move over by a "
    "host name alone. They are served, and described, only where FLOWPULSE_COMPATIBILITY is on. "
    "The address holds its secret in itself, and is made or brought along on the workflow's page. "
    "Answers and refusals are in the words that those senders know; the live log has each request "
    "with its code. GET and POST do the same."
)
EXAMPLE_UUID = "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20"
EXAMPLE_PING_KEY = "fqood6-f4mmnucenztu01w"
EXAMPLE_TOKEN = "Xq2v9LbT7cKmR4sWzP0aYdEhJ6uN8fGi"  # noqa: S105 - made up
_REFUSED_WITHIN = (
    "bad_request",
    "validation_failed",
    "workflow_not_allowed",
    "unknown_address",
    "ended_address",
    "workflow_not_found",
    "workflow_archived",
    "not_found",
    "request_timeout",
    "idempotency_key_reused",
    "rate_limited",
    "server_error",
    "unavailable",
)
"""In the monitor's own words: by then it is known whose address it is."""
_REFUSED_BEFORE = (
    "bad_request",
    "not_found",
    "method_not_allowed",
    "address_too_long",
    "headers_too_large",
)
"""As everywhere: of what the web server can't read, or what is no such address."""
_AS_PAGES = {"404", "405", "414"}
"""Of those, what is answered as a page outside of /api/: what is too long only where it is read."""
_TEXT = {"type": "string"}
_PAGE = {"text/html": {"schema": _TEXT}}
_STATUS = "([01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
_SIGNALS = f"^(start|fail|log|{_STATUS})$"
_SLUG = "[0-9]*[A-Za-z_-][0-9A-Za-z_-]*"
"""One of digits alone is taken behind a ping key: behind a UUID it is an exit status."""


def _in_query(name: str, description: str, **schema: Any) -> dict[str, Any]:
    told = {"name": name, "in": "query", "description": description}
    return told | {"schema": schema or {"type": "string", "pattern": NO_NUL}}


_UUID = "The workflow's UUID."
_ANY = "The workflow's UUID or, with a slug behind it, a ping key: an address of all workflows."
_ADDRESS = in_path("address", "The workflow's UUID, or what else its address is.", EXAMPLE_UUID)
_EITHER = in_path("address", _ANY, EXAMPLE_UUID)
_UUID_ALONE = in_path("address", _UUID, EXAMPLE_UUID, f"^{UUID_AT_ROOT}$")
_EITHER_ALONE = in_path("address", _ANY, EXAMPLE_UUID, f"^({UUID_AT_ROOT}|{PING_KEY_AT_ROOT})$")
_KEY = in_path("address", "A ping key: an address of all workflows.", EXAMPLE_PING_KEY)
_KEY_ALONE = _KEY | {"schema": {"type": "string", "pattern": f"^{PING_KEY_AT_ROOT}$"}}
_OF_KEY = in_path("slug", "The workflow's slug; `_` may stand for `-`.", "lead-enrichment")
_SAYS = (
    "`start`, `fail`, `log` (a text for the log, and no run), or the exit status: 0 is a success"
)
_SIGNAL = in_path("signal", f"{_SAYS}, 1 to 255 a failure.", "start", _SIGNALS)
_PART = in_path(
    "part",
    f"Behind a UUID {_SAYS}. Behind a ping key the workflow's slug.",
    "start",
    f"^({_STATUS}|{_SLUG})$",
)
_RID = _in_query("rid", "Which run it is.", type="string", format="uuid")
_PUSHED = [
    _in_query("status", "`up` is a success, anything else a failure; `up` if not given."),
    _in_query("msg", "The message."),
    _in_query(
        "ping",
        "How long the run took, in milliseconds; a text without a number counts as not given.",
        type=["number", "string"],
        minimum=0,
        maximum=MOST_KUMA_MS,
        pattern=r"^[^0-9]*$",
    ),
]
_TELEMETRY = [
    _in_query("state", "How it went; a success if not given.", type="string", enum=[*STATES]),
    _in_query("series", "Which run it is; the first 255 characters count."),
    _in_query("message", "The message."),
    _in_query("status_code", "The exit status, 0 to 255."),
    _in_query(
        "metric",
        "`duration:` and the seconds that the run took; others play no part.",
        type="array",
        items={"type": "string", "pattern": NO_NUL},
    ),
]
_OK_HEADERS = {
    "Ping-Body-Limit": {
        "description": "So many bytes of the body become the message.",
        "required": True,
        "schema": {"type": "string", "const": str(MESSAGE_BYTES)},
    },
    "Access-Control-Allow-Origin": {
        "description": "Pages of any site may send it.",
        "required": True,
        "schema": {"type": "string", "const": "*"},
    },
}
_OK = {"text/plain": {"schema": {"type": "string", "const": "OK"}, "example": "OK"}}
_PUSH_OK = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["ok"],
            "properties": {"ok": {"type": "boolean", "const": True}},
        },
        "example": {"ok": True},
    }
}
_NOT_PUSHED = {
    "type": "object",
    "required": ["ok", "msg"],
    "properties": {
        "ok": {"type": "boolean", "const": False},
        "msg": {"type": "string", "description": "What to change."},
    },
}
_ACCEPTED: dict[Form, dict[str, Any]] = {
    HEALTHCHECKS: {"content": _OK, "headers": _OK_HEADERS},
    UPTIME_KUMA: {"content": _PUSH_OK},
    CRONITOR: {"content": _OK, "headers": _OK_HEADERS},
}
_REFUSALS: dict[Form, tuple[str, dict[str, Any]]] = {
    HEALTHCHECKS: ("text/plain", _TEXT),
    UPTIME_KUMA: ("application/json", _NOT_PUSHED),
    CRONITOR: ("text/plain", _TEXT),
}
"""The media type and the schema of a refusal's body."""


def _tell(**details: str) -> dict[str, ProblemError]:
    key = (
        f"The Idempotency-Key header has 300 characters; at most {MAX_IDEMPOTENCY_KEY} are allowed."
    )
    told = {**details, "idempotency_key": key}
    return {name: ProblemError("bad_request", detail) for name, detail in told.items()}


_WRONG = {
    HEALTHCHECKS: _tell(rid=WRONG_RID, exit_status=WRONG_STATUS),
    UPTIME_KUMA: _tell(ping=say_wrong_ping(-1)),
    CRONITOR: _tell(state=WRONG_STATE),
}
"""Of a request that is wrong in itself."""


def add_other_monitors(spec: APISpec) -> None:
    for path, name, summary, parameters in (
        ("/ping/{address}", "checked", "the run succeeded", [_ADDRESS]),
        ("/ping/{address}/{part}", "checked_part", "how the run went", [_EITHER, _PART]),
        (
            "/ping/{address}/{slug}/{signal}",
            "checked_slug",
            "how the run of this slug went",
            [_KEY, _OF_KEY, _SIGNAL],
        ),
        ("/{address}", "root", "the run succeeded", [_UUID_ALONE]),
        ("/{address}/{part}", "root_part", "how the run went", [_EITHER_ALONE, _PART]),
        (
            "/{address}/{slug}/{signal}",
            "root_slug",
            "how the run of this slug went",
            [_KEY_ALONE, _OF_KEY, _SIGNAL],
        ),
    ):
        where = "as on hc-ping.com" if path.startswith("/{") else "self-hosted"
        summary = f"Healthchecks, {where}: {summary}"
        _add(spec, path, (name, summary), [*parameters, _RID], HEALTHCHECKS)
    token = in_path("token", "The monitor's token.", EXAMPLE_TOKEN)
    names = ("push", "Uptime Kuma: a push, with how the run went")
    _add(spec, "/api/push/{token}", names, [token, *_PUSHED], UPTIME_KUMA)
    key = in_path("key", "An address of all workflows, or of this one.", EXAMPLE_PING_KEY)
    names = ("telemetry", "Cronitor: telemetry, with how the run went")
    _add(spec, "/p/{key}/{slug}", names, [key, _OF_KEY, *_TELEMETRY], CRONITOR)


def _add(
    spec: APISpec, path: str, names: tuple[str, str], parameters: list[dict[str, Any]], form: Form
) -> None:
    """HEAD is answered too, as GET without a body; OpenAPI need not say so."""
    name, summary = names
    shared = {
        "summary": summary,
        "tags": [TAG],
        "security": [],
        "parameters": [*parameters, IDEMPOTENCY_KEY],
    }
    accepted = {"description": "On disk, and processed within moments.", **_ACCEPTED[form]}
    read, sent = (
        {"200": accepted, **_describe_refusals(form, is_sent=is_sent)} for is_sent in (False, True)
    )
    get = {"operationId": f"{name}_get", **shared, "responses": read}
    post = {"operationId": name, **shared, "responses": sent, "requestBody": MESSAGE}
    spec.path(path, operations={"get": get, "post": post})


def _describe_refusals(form: Form, *, is_sent: bool) -> dict[str, Any]:
    """In the monitor's words and, of what nobody has read, in ours. `is_sent`: whether by POST."""
    before = describe_refusals(_REFUSED_BEFORE)
    if form is not UPTIME_KUMA:
        for status in _AS_PAGES - ({"414"} if is_sent else set()):
            before[status]["content"] = _PAGE
    within = {
        status: describe_refusal(status, codes, _say(form, status, codes))
        for status, codes in group_by_status(_REFUSED_WITHIN).items()
    }
    for status, answer in within.items():
        answer["content"] |= before.get(status, {}).get("content", {})
    return dict(sorted({**before, **within}.items()))


def _say(form: Form, status: str, codes: list[str]) -> dict[str, Any]:
    """What the body of a refusal says, by its code or, where that is of several things, by what is
    wrong."""
    media_type, schema = _REFUSALS[form]
    problems = _WRONG[form] if status == "400" else {code: ProblemError(code) for code in codes}
    said = {name: {"value": form.say(problem)} for name, problem in problems.items()}
    return {media_type: {"schema": schema, "examples": said}}

"""What test events are made of: a good body, and the ways in which senders spoil one."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from app.clock import now
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.models import Workflow

Body = dict[str, Any]
Make = Callable[[Body], str | bytes]
"""From the members of a good body to what is sent."""

MESSAGE = "This is a test: the request to the CRM failed: 429"
_TOOK = timedelta(milliseconds=1_240)


def good_body(kind: str, workflow: Workflow) -> Body:
    ended_at = now()
    body: Body = {
        "workflow_slug": workflow.slug,
        "external_execution_id": f"test-{new_id()}",
        "started_at": _write(ended_at - _TOOK),
        "ended_at": _write(ended_at),
        "duration_ms": 1240,
    }
    if kind == "run-failure":
        body["error_message"] = MESSAGE
    return body


def _write(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def whole(body: Body) -> str:
    return json.dumps(body, indent=2)


def text(sent: str | bytes) -> Make:
    """Just this, whatever a good body would be."""
    return lambda body: sent


def with_(**changes: Any) -> Make:
    """The body with these members; None leaves one out."""

    def make(body: Body) -> str:
        changed = {**body, **changes}
        return whole({name: each for name, each in changed.items() if each is not None})

    return make


def renamed(old: str, new: str) -> Make:
    return lambda body: whole({new if name == old else name: body[name] for name in body})


def at(name: str, write: Callable[[datetime], object]) -> Make:
    """A time written in another way: of the moment when the run ended."""
    return lambda body: with_(**{name: write(datetime.fromisoformat(body["ended_at"]))})(body)


def later(name: str, by: timedelta, **changes: object) -> Make:
    """The time moved, and further fields changed."""
    return lambda body: with_(
        **{name: _write(datetime.fromisoformat(body["ended_at"]) + by), **changes}
    )(body)


def spoilt(old: str, new: str) -> Make:
    """The good body's text with something in it replaced, as no program would write it."""
    return lambda body: whole(body).replace(old, new)


def duration(written: str) -> Make:
    """What stands behind the colon of duration_ms."""
    return spoilt('"duration_ms": 1240', f'"duration_ms": {written}')


def message(written: str) -> Make:
    """What stands between the quotes of error_message."""
    return spoilt(MESSAGE, written)


def around(before: str, after: str) -> Make:
    return lambda body: f"{before}{whole(body)}{after}"


def cut_off(body: Body) -> str:
    return whole(body)[:-40]


def unquoted(name: str) -> Make:
    return lambda body: whole(body).replace(f'"{body[name]}"', str(body[name]))


def unclosed(body: Body) -> str:
    execution = body["external_execution_id"]
    return whole(body).replace(f'{execution}"', execution)


def enveloped(body: Body) -> str:
    return whole({"body": body})


def twice_encoded(body: Body) -> str:
    return json.dumps(whole(body))


def as_form(body: Body) -> str:
    return urlencode({name: body[name] for name in ("workflow_slug", "ended_at")})


def as_form_with_plus(body: Body) -> str:
    ended_at = body["ended_at"].replace("Z", "+00:00")
    return f"workflow_slug={body['workflow_slug']}&ended_at={ended_at}"


def as_multipart(body: Body) -> str:
    part = 'Content-Disposition: form-data; name="workflow_slug"'
    return f"--test\r\n{part}\r\n\r\n{body['workflow_slug']}\r\n--test--\r\n"


def as_markup(body: Body) -> str:
    return f"<run><workflow_slug>{body['workflow_slug']}</workflow_slug></run>"


def packed(body: Body) -> bytes:
    return gzip.compress(whole(body).encode(), mtime=0)


def in_another_encoding(body: Body) -> bytes:
    return whole(body).replace("test-", "é-").encode("cp1252")


def too_large(body: Body) -> str:
    return with_(metadata={"log": "x" * ingest_service().max_body_bytes})(body)  # type: ignore[return-value]


def too_deep(body: Body) -> str:
    levels = ingest_service().max_json_depth + 1
    return whole(body).replace("1240", "[" * levels + "1240" + "]" * levels)


def unknown_slug(body: Body) -> str | bytes:
    return with_(workflow_slug=f"{body['workflow_slug'][:60]}-{new_id()[-6:]}")(body)


def of_no_platform(body: Body) -> str | bytes:
    """A number for an id, another each time: the same one would be one run."""
    return with_(external_execution_id=int(now().timestamp() * 1000))(body)

"""One request on its way in: what is known of it so far, and how it is written to the log."""

import re
import time
from datetime import datetime
from functools import lru_cache

import gevent
from flask import Request, current_app, g, request
from gevent import monkey

from app.answers import dump
from app.clock import now
from app.identifiers import new_id
from app.ingest.records import KnownKey, NewEvent
from app.keys import mask_keys, mask_keys_in_bytes
from app.problems import ProblemError

MAX_STORED_BODY = 64 * 1024
_CHUNK = 64 * 1024
_SECRET_HEADER = re.compile("AUTH|COOKIE|PASSWORD|PASSWD|SECRET|SIGNATURE|TOKEN|API_?KEY")
MASK = "••••••"


class Intake:
    """Gathers what the log will say of a request, whatever becomes of it."""

    __slots__ = ("api_key", "body", "event_id", "kind", "received_at", "request", "started")

    def __init__(self, request: Request, kind: str | None = None) -> None:
        self.started = time.perf_counter()
        self.received_at: datetime = now()
        self.event_id = new_id()
        self.request = request
        self.kind = kind
        self.api_key: KnownKey | None = None
        self.body: bytes | None = None

    def read_body(self) -> bytes:
        """The whole body; raises `body_too_large`, or `request_timeout` if it does not come."""
        limit: int = current_app.config["FLOWPULSE_MAX_BODY_BYTES"]
        if (self.request.content_length or 0) > limit:
            raise _too_large(limit)
        self.body = self._read(limit + 1, current_app.config["FLOWPULSE_BODY_TIMEOUT_SECONDS"])
        if self.body is None or len(self.body) < (self.request.content_length or 0):
            raise ProblemError("request_timeout", headers={"Connection": "close"})
        if len(self.body) > limit:
            raise _too_large(limit)
        return self.body

    def read_what_has_come(self) -> None:
        """For the log of a request that is refused by its headers: never waits for more."""
        if self.body is None and (self.request.content_length or 0) <= MAX_STORED_BODY:
            self.body = self._read(MAX_STORED_BODY, 0.02)

    def _read(self, limit: int, seconds: float) -> bytes | None:
        if not monkey.is_module_patched("socket"):
            return self._read_all(limit)
        with gevent.Timeout(seconds, False):  # type: ignore[arg-type]
            return self._read_all(limit)
        return None

    def _read_all(self, limit: int) -> bytes:
        stream = self.request.stream
        wanted = min(limit, self.request.content_length or limit)
        body: bytes = stream.read(min(wanted, _CHUNK))
        while len(body) < wanted:
            more = stream.read(min(wanted - len(body), _CHUNK))
            if not more:
                break
            body += more
        return body

    def as_event(
        self,
        state: str,
        status: int,
        *,
        workflow_id: int | None = None,
        code: str | None = None,
        detail: str | None = None,
        errors: str | None = None,
        warnings: str | None = None,
        payload: str | None = None,
    ) -> NewEvent:
        """The row for the log: keys masked, secret headers left out, the body's first 64 KB."""
        incoming, key, body = self.request, self.api_key, self.body or b""
        environ = incoming.environ
        agent = environ.get("HTTP_USER_AGENT")
        return NewEvent(
            public_id=self.event_id,
            workspace_id=key.workspace_id if key else None,
            api_key_id=key.id if key else None,
            workflow_id=workflow_id,
            received_at=self.received_at,
            state=state,
            kind=self.kind,
            method=environ["REQUEST_METHOD"][:20],
            path=mask_keys(environ.get("RAW_URI") or incoming.full_path)[:2000],
            headers=_stored_headers(incoming),
            body=mask_keys_in_bytes(body)[:MAX_STORED_BODY],
            body_size=len(body) if self.body is not None else incoming.content_length,
            remote_addr=(incoming.remote_addr or "")[:64] or None,
            user_agent=mask_keys(agent)[:255] if agent else None,
            status=status,
            code=code,
            detail=detail,
            errors=errors,
            warnings=warnings,
            took_ms=round((time.perf_counter() - self.started) * 1000, 3),
            payload=payload,
            next_attempt_at=self.received_at if state == "accepted" else None,
        )


def open_intake(kind: str | None = None) -> Intake:
    """The current request's intake; the errors' door finds it again in `g`."""
    intake = g.intake = Intake(request._get_current_object(), kind)  # type: ignore[attr-defined]
    return intake


def current_intake() -> Intake:
    intake: Intake | None = g.get("intake")
    return intake or open_intake()


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "body_too_large", f"The body is larger than {limit:,} bytes. Send less, or split it."
    )


@lru_cache(maxsize=1024)
def _is_secret(header: str) -> bool:
    return _SECRET_HEADER.search(header) is not None


def _stored_headers(incoming: Request) -> str:
    """Names and values as JSON pairs; of secret headers only that they were there."""
    pairs = []
    for name, value in incoming.environ.items():
        if name.startswith("HTTP_"):
            title = name[5:].replace("_", "-").title()
            pairs.append([title, MASK if _is_secret(name) else value])
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            pairs.append([name.replace("_", "-").title(), value])
    return mask_keys(dump(pairs))

"""Report runs to FlowPulse: `with client.run("slug"):`, and single calls for each kind of event."""

import contextlib
import functools
import json
import logging
import os
import random
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, NoReturn, ParamSpec, TypeVar

__version__ = "0.1.0"
__all__ = ["Client", "FlowPulseError", "RefusedError", "UnreachableError", "run"]

log = logging.getLogger("flowpulse")
P = ParamSpec("P")
T = TypeVar("T")
RETRIED = {429, 500, 502, 503, 504}
MAX_WAIT_SECONDS = 30.0
MAX_MESSAGE = 50_000


class FlowPulseError(Exception):
    """An event was not taken, or nobody can tell."""


class UnreachableError(FlowPulseError):
    """No answer that counts came within the tries and the time."""


class RefusedError(FlowPulseError):
    """The server refused; `status`, `code`, `errors` and `inspect` are those of its problem."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "unknown"))
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        self.inspect: str | None = problem.get("inspect")
        lines = [f"{status} {self.code}: {problem.get('detail') or problem.get('title') or ''}"]
        lines += [f"  {e.get('field')}: {e.get('message')} {e.get('fix', '')}" for e in self.errors]
        super().__init__("\n".join(lines + ([f"  see {self.inspect}"] if self.inspect else [])))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host, and turn a POST into a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Sends to one server with one key; may be shared by threads.

    `url` and `api_key` default to FLOWPULSE_URL and FLOWPULSE_API_KEY. `timeout` is for one try,
    `total_timeout` bounds when a try or wait may begin, both in seconds; `retries` come after the
    first try. `strict` has `run` and `monitor` raise FlowPulseError after a job that went well.
    Wrong settings raise FlowPulseError when something is sent, so that they break no job.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 5.0,
        total_timeout: float = 20.0,
        retries: int = 3,
        strict: bool = False,
    ) -> None:
        self.url = (url or os.environ.get("FLOWPULSE_URL", "")).strip().rstrip("/")
        self._key = (api_key or os.environ.get("FLOWPULSE_API_KEY", "")).strip()
        self.timeout, self.total_timeout = timeout, total_timeout
        self.retries, self.strict = retries, strict
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __repr__(self) -> str:
        return f"Client(url={self.url!r}, api_key=…)"

    def success(self, slug: str, **fields: Any) -> dict[str, Any]:
        """Report a run that went well, ended now unless `ended_at` says when.

        Fields are those of the API. Raises RefusedError, UnreachableError.
        """
        return self._event("run-success", slug, {"ended_at": datetime.now(UTC), **fields})

    def failure(self, slug: str, error_message: str, **fields: Any) -> dict[str, Any]:
        """Report a run that failed; else as `success`."""
        known = {"ended_at": datetime.now(UTC), "error_message": error_message, **fields}
        return self._event("run-failure", slug, known)

    def start(self, slug: str, **fields: Any) -> dict[str, Any]:
        """Report that a run has begun, now unless `started_at` says when; else as `success`."""
        return self._event("run-start", slug, {"started_at": datetime.now(UTC), **fields})

    def batch(self, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Send up to 500 events with `kind` each; look at `refused` in the answer (207)."""
        keyed = [{"idempotency_key": uuid.uuid4().hex, **event} for event in events]
        return self._post("batch", {"events": keyed}, None)

    @contextlib.contextmanager
    def run(self, slug: str, *, send_start: bool = True, **fields: Any) -> Iterator[dict[str, Any]]:
        """Report what happens within; yields the fields, which may be added to.

        What the job raises goes on as it was. `sys.exit()` and `sys.exit(0)` are successes.
        """
        fields = {"external_execution_id": uuid.uuid4().hex, **fields}
        fields["started_at"], began = datetime.now(UTC), time.monotonic()
        if send_start:
            self._quietly(lambda: self.start(slug, **fields))
        try:
            yield fields
        except BaseException as error:
            fields |= _ending(began)
            if isinstance(error, SystemExit) and error.code in (None, 0):
                self._quietly(lambda: self.success(slug, **fields))
            else:
                fields["error_type"] = type(error).__name__
                raised = error
                self._quietly(
                    lambda: self.failure(slug, **{**fields, "error_message": _told(raised)})
                )
            raise
        fields |= _ending(began)
        if (trouble := self._quietly(lambda: self.success(slug, **fields))) and self.strict:
            raise trouble

    def monitor(self, slug: str, **options: Any) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function so that each call is a `run`."""

        def decorate(job: Callable[P, T]) -> Callable[P, T]:
            @functools.wraps(job)
            def watched(*args: P.args, **kwargs: P.kwargs) -> T:
                with self.run(slug, **options):
                    return job(*args, **kwargs)

            return watched

        return decorate

    def _quietly(self, send: Callable[[], object]) -> Exception | None:
        # Whatever goes wrong in telling (a field that is no JSON, too) is no reason to end a job.
        try:
            send()
        except Exception as error:
            log.warning("FlowPulse was not told: %s", error)
            return error
        return None

    def _event(self, kind: str, slug: str, fields: dict[str, Any]) -> dict[str, Any]:
        key = fields.pop("idempotency_key", None) or uuid.uuid4().hex
        return self._post(kind, {"workflow_slug": slug, **fields}, key)

    def _post(self, kind: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        if not self.url or not self._key:
            raise FlowPulseError("FLOWPULSE_URL and FLOWPULSE_API_KEY (or url, api_key) are needed")
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise FlowPulseError("FlowPulse's url must begin with http:// or https://")
        if not (self._key.isascii() and self._key.isprintable()):  # http.client would quote it.
            raise FlowPulseError("FlowPulse's key holds characters that no key has")
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
            f"{self.url}/api/v1/ingest/{kind}", json.dumps(body, default=_plain).encode(), headers
        )
        give_up_at = time.monotonic() + self.total_timeout
        for left in range(self.retries, -1, -1):
            wait: float | None = None
            try:
                left_seconds = max(0.1, give_up_at - time.monotonic())
                with self._opener.open(request, timeout=min(self.timeout, left_seconds)) as answer:
                    return _read(answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    refusal = RefusedError(error.code, _read(error.read()))
                if error.code not in RETRIED:
                    raise refusal from None
                trouble: Exception = refusal
                wait = _seconds(error.headers.get("Retry-After"))
            except (OSError, HTTPException) as error:
                trouble = error
            if wait is None:
                wait = 0.5 * 2 ** (self.retries - left) * random.uniform(0.8, 1.2)  # noqa: S311
            if not left or time.monotonic() + wait >= give_up_at:
                _give_up(trouble)
            time.sleep(wait)
        raise AssertionError("unreachable")


def _give_up(trouble: Exception) -> NoReturn:
    if isinstance(trouble, RefusedError):
        raise trouble
    raise UnreachableError(f"FlowPulse can't be reached: {trouble}") from trouble


def _ending(began: float) -> dict[str, Any]:
    duration_ms = round((time.monotonic() - began) * 1000, 3)
    return {"ended_at": datetime.now(UTC), "duration_ms": duration_ms}


def _told(error: BaseException) -> str:
    """What was raised, and the end of its traceback, which says where."""
    text = "".join(traceback.format_exception(error))
    return f"{str(error)[:1000] or type(error).__name__}\n\n{text[-MAX_MESSAGE:]}"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _seconds(header: str | None) -> float | None:
    try:
        return min(max(float(header or ""), 0.0), MAX_WAIT_SECONDS)
    except ValueError:
        return None


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run(slug: str, **options: Any) -> contextlib.AbstractContextManager[dict[str, Any]]:
    """`Client().run(slug)`, configured by the environment."""
    return Client().run(slug, **options)

"""Report runs to FlowPulse: `with client.run("slug"):`, and single calls for each kind of event."""

import asyncio
import contextlib
import email.utils
import functools
import inspect
import json
import logging
import os
import queue
import random
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException, IncompleteRead
from typing import Any, NoReturn, NotRequired, ParamSpec, TypedDict, TypeVar, Unpack, cast

__version__ = "0.1.0"
__all__ = [
    "Accepted",
    "BatchAnswer",
    "Client",
    "Fields",
    "FlowPulseError",
    "RefusedError",
    "UnreachableError",
    "run",
]

log = logging.getLogger("flowpulse")
P = ParamSpec("P")
T = TypeVar("T")
RETRIED = {408, 429, 500, 502, 503, 504}
TAKEN = {202, 207}
MAX_MESSAGE = 50_000
MAX_SUMMARY = 1_000
MAX_ANSWER_BYTES = 4_000_000
MAX_LISTED = 20
USER_AGENT = f"flowpulse-python/{__version__}"


class Fields(TypedDict, total=False):
    """What may be told of a run; a time without a zone is the machine's own."""

    started_at: datetime | str
    ended_at: datetime | str
    duration_ms: float
    external_execution_id: str
    source_platform: str
    source_workflow_id: str
    correlation_id: str
    metadata: dict[str, Any]
    error_type: str
    idempotency_key: str


class FieldWarning(TypedDict):
    """What was tolerated, and where."""

    field: str
    code: str
    message: str


class Accepted(TypedDict):
    """The event is on disk."""

    event_id: str
    status: str
    warnings: NotRequired[list[FieldWarning]]


class BatchAnswer(TypedDict):
    """How many events are on disk, and how many are not; each one's answer in the order sent."""

    accepted: int
    refused: int
    events: list[dict[str, Any]]


class FlowPulseError(Exception):
    """An event was not taken, or nobody can tell."""


class UnreachableError(FlowPulseError):
    """No answer that counts came within the tries and the time."""


class RefusedError(FlowPulseError):
    """The server refused; `status`, `code`, `errors` and `inspect` are those of its problem.

    `events`: of a batch of which none was taken, each event's own problem.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "unknown"))
        self.errors: list[dict[str, Any]] = problem.get("errors") or []
        self.events: list[dict[str, Any]] = problem.get("events") or []
        self.inspect: str | None = problem.get("inspect")
        lines = [f"{status} {self.code}: {problem.get('detail') or problem.get('title') or ''}"]
        lines += [f"  {e.get('field')}: {e.get('message')} {e.get('fix', '')}" for e in self.errors]
        for place, event in enumerate(self.events[:MAX_LISTED]):
            told = event.get("detail") or event.get("title") or ""
            lines.append(f"  events[{place}]: {event.get('status')} {event.get('code')}: {told}")
        if len(self.events) > MAX_LISTED:
            lines.append(f"  … and {len(self.events) - MAX_LISTED} more")
        super().__init__("\n".join(lines + ([f"  see {self.inspect}"] if self.inspect else [])))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host, and turn a POST into a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """Sends to one server with one key; may be shared by threads.

    `url` and `api_key` default to FLOWPULSE_URL and FLOWPULSE_API_KEY. `timeout` is for one try
    with its whole answer, `total_timeout` for all tries and waits together, both in seconds,
    however slow the server is; `retries` come after the first try. `strict` has `run` and
    `monitor` raise FlowPulseError after a job that went well. Wrong settings raise FlowPulseError
    when something is sent, so that they break no job.
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
        told = url or os.environ.get("FLOWPULSE_URL", "")
        self.url = told.strip().rstrip("/").removesuffix("/api/v1")
        self._key = (api_key or os.environ.get("FLOWPULSE_API_KEY", "")).strip()
        self.timeout, self.total_timeout = timeout, total_timeout
        self.retries, self.strict = retries, strict
        self._opener = urllib.request.build_opener(_NoRedirects)

    def __repr__(self) -> str:
        return f"Client(url={self.url!r}, api_key=…)"

    def success(self, slug: str, **fields: Unpack[Fields]) -> Accepted:
        """Report a run that went well, ended now unless `ended_at` says when.

        Fields are those of the API. Raises RefusedError, UnreachableError.
        """
        return self._event("run-success", slug, {"ended_at": datetime.now(UTC), **fields})

    def failure(self, slug: str, error_message: str, **fields: Unpack[Fields]) -> Accepted:
        """Report a run that failed; else as `success`."""
        known = {"ended_at": datetime.now(UTC), "error_message": error_message, **fields}
        return self._event("run-failure", slug, known)

    def start(self, slug: str, **fields: Unpack[Fields]) -> Accepted:
        """Report that a run has begun, now unless `started_at` says when; else as `success`."""
        return self._event("run-start", slug, {"started_at": datetime.now(UTC), **fields})

    def batch(self, events: Sequence[Mapping[str, object]]) -> BatchAnswer:
        """Send up to 500 events with `kind` each; look at `refused` in the answer (207).

        Where none was taken, RefusedError has each one's problem in `events`.
        """
        keyed = [
            {**event, "idempotency_key": event.get("idempotency_key") or uuid.uuid4().hex}
            for event in events
        ]
        return cast(BatchAnswer, self._post("batch", {"events": keyed}, None))

    @contextlib.contextmanager
    def run(
        self, slug: str, *, send_start: bool = True, **fields: Unpack[Fields]
    ) -> Iterator[Fields]:
        """Report what happens within; yields the fields, which may be added to.

        What the job raises goes on as it was. `sys.exit()` and `sys.exit(0)` are successes. An
        `idempotency_key` is that of the end; the start's is made of it.
        """
        known: Fields = {"external_execution_id": uuid.uuid4().hex, **fields}
        known["started_at"], began = datetime.now(UTC), time.monotonic()
        if send_start:
            self._quietly(lambda: self.start(slug, **_of_start(known)))
        try:
            yield known
        except BaseException as error:
            _end(known, began)
            if isinstance(error, SystemExit) and error.code in (None, 0):
                self._quietly(lambda: self.success(slug, **known))
            else:
                told: dict[str, Any] = {"error_type": type(error).__name__, **known}
                told["error_message"] = _told(error)
                self._quietly(lambda: self.failure(slug, **told))
            raise
        _end(known, began)
        if (trouble := self._quietly(lambda: self.success(slug, **known))) and self.strict:
            raise trouble

    @contextlib.asynccontextmanager
    async def run_async(
        self, slug: str, *, send_start: bool = True, **fields: Unpack[Fields]
    ) -> AsyncIterator[Fields]:
        """`async with`, else as `run`: nothing that is sent keeps the event loop waiting."""
        around = self.run(slug, send_start=send_start, **fields)
        known = await asyncio.to_thread(around.__enter__)
        try:
            yield known
        except GeneratorExit as error:  # The coroutine is being closed, and may wait for nothing.
            around.__exit__(type(error), error, error.__traceback__)
            raise
        except BaseException as error:
            await asyncio.to_thread(around.__exit__, type(error), error, error.__traceback__)
            raise
        await asyncio.to_thread(around.__exit__, None, None, None)

    def monitor(
        self, slug: str, *, send_start: bool = True, **fields: Unpack[Fields]
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Decorate a function, async or not, so that each call is a `run`.

        Raises TypeError for a generator: its call ends before it has begun.
        """

        def decorate(job: Callable[P, T]) -> Callable[P, T]:
            if inspect.isgeneratorfunction(job) or inspect.isasyncgenfunction(job):
                raise TypeError("monitor watches no generators: use `with client.run(…)` in it")

            @functools.wraps(job)
            def watched(*args: P.args, **kwargs: P.kwargs) -> T:
                with self.run(slug, send_start=send_start, **fields):
                    return job(*args, **kwargs)

            @functools.wraps(job)
            async def watched_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self.run_async(slug, send_start=send_start, **fields):
                    return await cast(Any, job)(*args, **kwargs)

            return cast(Any, watched_async) if inspect.iscoroutinefunction(job) else watched

        return decorate

    def _quietly(self, send: Callable[[], object]) -> Exception | None:
        # Whatever goes wrong in telling (a field that is no JSON, too) is no reason to end a job.
        try:
            send()
        except Exception as error:
            log.warning("FlowPulse was not told: %s", error)
            return error
        return None

    def _event(self, kind: str, slug: str, fields: dict[str, Any]) -> Accepted:
        key = str(fields.pop("idempotency_key", None) or uuid.uuid4().hex)
        return cast(Accepted, self._post(kind, {"workflow_slug": slug, **fields}, key))

    def _post(self, kind: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        make_request = self._prepare(kind, body, key)
        give_up_at = time.monotonic() + self.total_timeout
        trouble: Exception = TimeoutError("no time was given")
        for tries in range(self.retries + 1):
            seconds = min(self.timeout, give_up_at - time.monotonic())
            if seconds <= 0:
                break
            wait = 0.5 * 2**tries * random.uniform(0.8, 1.2)  # noqa: S311
            try:
                status, said, headers = _within(
                    seconds, functools.partial(self._try, make_request, seconds)
                )
            except (OSError, HTTPException, ValueError) as error:  # ValueError: of a host's name.
                trouble = error
            else:
                if status in TAKEN and (answer := _read(said)).get("event_id" if key else "events"):
                    return answer
                trouble = _refuse(self.url, status, _read(said), headers.get("Location"))
                if status not in RETRIED:
                    raise trouble
                asked = _seconds(headers.get("Retry-After") or "")
                wait = wait if asked is None else asked
            if tries == self.retries or time.monotonic() + wait >= give_up_at:
                break
            time.sleep(wait)
        _give_up(trouble)

    def _prepare(
        self, kind: str, body: dict[str, Any], key: str | None
    ) -> Callable[[], urllib.request.Request]:
        """Makes a request for each try: a proxy alters it. Raises FlowPulseError for what can't be
        sent."""
        if not self.url or not self._key:
            raise FlowPulseError("FLOWPULSE_URL and FLOWPULSE_API_KEY (or url, api_key) are needed")
        if not self.url.lower().startswith(("http://", "https://")):
            raise FlowPulseError("FlowPulse's url must begin with http:// or https://")
        for text, what in ((self._key, "FlowPulse's key"), (key or "", "idempotency_key")):
            if not (text.isascii() and text.isprintable()):  # http.client would quote it.
                raise FlowPulseError(f"{what} holds characters that no header has")
        headers = {"X-API-Key": self._key, "Content-Type": "application/json"}
        headers |= {"User-Agent": USER_AGENT, **({"Idempotency-Key": key} if key else {})}
        try:
            data = _write(body)
        except (TypeError, ValueError) as error:
            raise FlowPulseError(f"This is no JSON: {error}") from error
        url = f"{self.url}/api/v1/ingest/{kind}"
        return lambda: urllib.request.Request(url, data, headers)  # noqa: S310 (as checked)

    def _try(
        self, make_request: Callable[[], urllib.request.Request], seconds: float
    ) -> tuple[int, bytes, Any]:
        """Status, body and headers of the answer, whatever it is."""
        answer: Any
        try:
            answer = self._opener.open(make_request(), timeout=seconds)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            said = _read_until(answer, time.monotonic() + seconds)
            return int(answer.status), said, answer.headers


def _read_until(answer: Any, end: float) -> bytes:
    """The body; raises TimeoutError for one that drips past the end."""
    said = b""
    while len(said) < MAX_ANSWER_BYTES and (more := answer.read1(65_536)):
        said += more
        if time.monotonic() > end:
            raise TimeoutError("the answer took too long")
    if getattr(answer, "length", None):
        raise IncompleteRead(said)
    return said


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises; TimeoutError where it takes longer.

    A socket's own time-out is for each piece of an answer, and looking up a name has none: so that
    a job never waits for longer, another thread does, and is left behind where nothing comes.
    """
    results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            results.put((ask(), None))
        except BaseException as error:
            results.put((None, error))

    try:
        threading.Thread(target=work, name="flowpulse", daemon=True).start()
    except RuntimeError:  # The interpreter is about to end, or has no room for a thread.
        return ask()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no whole answer within {seconds:.1f} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # It is what `ask` returned.


def _refuse(url: str, status: int, problem: dict[str, Any], location: str | None) -> FlowPulseError:
    """What is raised for an answer that takes nothing in; FlowPulse itself says why."""
    if problem.get("code"):
        return RefusedError(status, problem)
    if location and 300 <= status < 400:
        there = location.partition("/api/v1/")[0][:200]
        detail = f"{url} leads on to {there}, and redirects are not followed."
        return RefusedError(status, {"code": "redirected", "detail": f"{detail} Set url to that."})
    if status in RETRIED:
        detail = "Something before FlowPulse answered in its place, or it said no more."
        return RefusedError(status, {"detail": detail})
    detail = f"This is not how FlowPulse answers. Is {url} its address?"
    return RefusedError(status, {"code": "not_flowpulse", "detail": detail})


def _give_up(trouble: Exception) -> NoReturn:
    if isinstance(trouble, RefusedError):
        raise trouble
    raise UnreachableError(f"FlowPulse can't be reached: {trouble}") from trouble


def _end(fields: Fields, began: float) -> None:
    fields["ended_at"] = datetime.now(UTC)
    fields["duration_ms"] = round((time.monotonic() - began) * 1000, 3)


def _of_start(fields: Fields) -> Fields:
    key = fields.get("idempotency_key")
    return {**fields, "idempotency_key": f"{key}-start"} if key else fields


def _told(error: BaseException) -> str:
    """What was raised, and the end of its traceback, which says where: never in the job's way."""
    try:
        summary = str(error)[:MAX_SUMMARY]
    except Exception:
        summary = ""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        summary = f"Exit status {error.code}"
    try:
        text = "".join(traceback.format_exception(error))[-MAX_MESSAGE:]
    except Exception:
        text = ""
    return f"{summary or type(error).__name__}\n\n{text}".rstrip()


def _write(body: dict[str, Any]) -> bytes:
    """As JSON, which has no NaN and no Infinity: they become null, as in JavaScript."""
    try:
        return json.dumps(body, default=_plain, allow_nan=False).encode()
    except ValueError:
        text = json.dumps(body, default=_plain)
        return json.dumps(json.loads(text, parse_constant=lambda _: None)).encode()


def _plain(value: object) -> str:
    """A time without a zone is the machine's own."""
    return value.astimezone().isoformat() if isinstance(value, datetime) else str(value)


def _seconds(header: str) -> float | None:
    """Retry-After in seconds or as a date (RFC 9110, 10.2.3); None for what is neither."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def run(
    slug: str, *, send_start: bool = True, **fields: Unpack[Fields]
) -> contextlib.AbstractContextManager[Fields]:
    """`Client().run(slug)`, configured by the environment."""
    return Client().run(slug, send_start=send_start, **fields)

"""One request on its way in: what is known of it so far, and how it is written to the log."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import IO, Any, Protocol, cast

from werkzeug.wsgi import get_content_length, get_input_stream

from app.clock import now
from app.disguised_keys import mask_all_keys
from app.identifiers import new_id
from app.ingest.kept_texts import MAX_STORED_BODY, keep_address, keep_body, keep_id, keep_text
from app.ingest.platforms import MAX_PLATFORM, guess_platform
from app.ingest.records import KnownKey, NewEvent
from app.ingest.remainders import NO_PLACE, Remainder
from app.ingest.stored_headers import write_headers
from app.problems import ProblemError
from app.time_limit import TimeIsUp, time_limit

MOST_SKIPPED = 256 * 1024 * 1024
"""Bytes of a body that are read for their sender's sake alone."""
_CHUNK = 64 * 1024
NOTHING: Mapping[str, Any] = {}
_LARGEST_SIZE = 2**63 - 1
_BROKEN_BODY = "The body's chunks can't be read, or the connection broke off within them."
_IN_ENVIRON = "flowpulse.intake"

Environ = dict[str, Any]
"""A request as WSGI gives it (PEP 3333)."""


class SentBy(Protocol):
    """What the log keeps of a request that a person sent."""

    @property
    def origin(self) -> str: ...
    @property
    def sent_by(self) -> str: ...
    @property
    def attempt_of_id(self) -> int | None: ...


class Intake:
    """Gathers what the log will say of a request, whatever becomes of it.

    `headers` are those that the log keeps, where they are not to be read from the environ.
    """

    __slots__ = (
        "api_key",
        "attempt",
        "body",
        "content_length",
        "environ",
        "event_id",
        "headers",
        "is_broken",
        "kind",
        "members",
        "received_at",
        "skipped",
        "started",
    )
    accepted_status = 202  # Senders of other monitors are used to another.

    def __init__(self, environ: Environ, kind: str | None = None) -> None:
        self.started = time.perf_counter()
        self.received_at: datetime = now()
        self.event_id = new_id()
        self.environ = environ
        self.content_length = get_content_length(environ)
        self.kind = kind
        self.api_key: KnownKey | None = None
        self.attempt: SentBy | None = None
        self.headers: str | None = None
        self.members: Mapping[str, Any] = NOTHING
        self.body: bytes | None = None
        self.is_broken = False
        self.skipped = 0

    @property
    def remote_addr(self) -> str:
        return self.environ.get("REMOTE_ADDR") or ""

    def read_body(self, limit: int, seconds: float) -> bytes:
        """The whole body, at most `limit` bytes, within so many seconds.

        Raises `body_too_large`, or `request_timeout` if it does not come.
        """
        if (self.content_length or 0) > limit:
            self._end_connection()
            raise _too_large(limit)
        self.body = b""
        came_whole = self._read(limit + 1, seconds)
        if self.is_broken:
            raise ProblemError("bad_request", _BROKEN_BODY)
        if not came_whole or len(self.body) < (self.content_length or 0):
            raise ProblemError("request_timeout")
        if len(self.body) + self.skipped > limit:
            self._end_connection()
            raise _too_large(limit)
        return self.body

    def read_beginning(self, needed: int, seconds: float) -> bytes:
        """As much of the body as the log keeps, within so many seconds.

        What lies behind it is read within that time, and thrown away: most senders look for an
        answer only when they have sent all. Where some of it does not come, the connection ends
        with the answer.
        Raises `request_timeout` or `bad_request` where less than `needed` bytes of it come, the
        most that anybody looks at.
        """
        self.body = b""
        came_whole = self._read(MAX_STORED_BODY, seconds, skips_rest=True)
        self.body = self.body[:MAX_STORED_BODY]
        if len(self.body) == MAX_STORED_BODY:
            return self.body
        if came_whole and len(self.body) >= (self.content_length or 0):
            return self.body
        self._end_connection()
        if len(self.body) >= needed:
            return self.body
        if self.is_broken:
            raise ProblemError("bad_request", _BROKEN_BODY)
        raise ProblemError("request_timeout")

    def read_for_log(self, seconds: float) -> None:
        """Of a request that is refused by its headers: what the log keeps, if it comes in time."""
        if self.body is None:
            self.body = b""
            self._read(MAX_STORED_BODY, seconds)

    def _read(self, limit: int, seconds: float, *, skips_rest: bool = False) -> bool:
        """Whether all came that will; `body` grows meanwhile, and keeps what came."""
        try:
            with time_limit(seconds, for_sender=True):
                stream = self._stream()
                self._read_all(stream, limit)
                if skips_rest:
                    self._skip_rest(stream)
                return True
        except TimeIsUp:
            pass
        except OSError as error:
            if error.errno in NO_PLACE:
                raise ProblemError("unavailable") from None
            self.is_broken = True
        except Exception:  # The server's own, for chunks that are none or a connection that broke.
            self.is_broken = True
        self._give_up()
        return False

    def _stream(self) -> IO[bytes]:
        """The body, which ends where it ends: gunicorn's does so by itself."""
        if "wsgi.input_terminated" in self.environ:
            return cast(IO[bytes], self.environ["wsgi.input"])
        return get_input_stream(self.environ)

    def _read_all(self, stream: IO[bytes], limit: int) -> None:
        wanted = min(limit, self.content_length or limit)
        begin = min(wanted, _CHUNK)
        body = self.body = stream.read(begin)
        while len(body) < begin:
            more = stream.read(begin - len(body))
            if not more:
                return
            body = self.body = body + more
        if begin < wanted:
            self._read_rest(stream, wanted - begin, limit)

    def _read_rest(self, stream: IO[bytes], wanted: int, limit: int) -> None:
        """What is as long as the limit is too long: its beginning will do."""
        begin = self.body or b""
        with Remainder() as rest:
            while self.skipped < wanted:
                more = stream.read(min(wanted - self.skipped, _CHUNK))
                if not more:
                    break
                rest.write(more)
                self.skipped += len(more)
            if len(begin) + self.skipped < limit:
                self.body, self.skipped = begin + rest.take(), 0

    def _skip_rest(self, stream: IO[bytes]) -> None:
        while self.skipped < MOST_SKIPPED:
            size = len(stream.read(_CHUNK))
            if not size:
                return
            self.skipped += size
            time.sleep(0)  # Whoever sends without a pause must not keep the others waiting.
        self._end_connection()

    def _give_up(self) -> None:
        """Keep what came of a body that was given up."""
        self.body = (self.body or b"") + _take_held(self.environ["wsgi.input"])
        self._end_connection()

    def _end_connection(self) -> None:
        """Have gunicorn look for no request behind a body of which not all came: it might find one
        in what still comes of it."""
        stream = self.environ["wsgi.input"]
        with suppress(AttributeError):  # Another server's.
            stream.failed = True
            stream.end_connection()

    def _body_size(self) -> int | None:
        """In bytes, as announced; of a body that is sent in chunks, what came."""
        if self.content_length is not None:
            return min(self.content_length, _LARGEST_SIZE)
        return None if self.body is None else len(self.body) + self.skipped

    def as_event(
        self,
        state: str,
        status: int,
        *,
        workflow_id: int | None = None,
        platform: str | None = None,
        code: str | None = None,
        detail: str | None = None,
        errors: str | None = None,
        warnings: str | None = None,
        payload: str | None = None,
        reference: str | None = None,
        execution_id: str | None = None,
        correlation_id: str | None = None,
        fingerprint: str | None = None,
    ) -> NewEvent:
        """The row for the log: keys masked, secret headers left out, the body's first 64 KB."""
        environ, key, body = self.environ, self.api_key, self.body or b""
        address = environ.get("RAW_URI") or environ["PATH_INFO"]
        agent, attempt = environ.get("HTTP_USER_AGENT"), self.attempt
        return NewEvent(
            public_id=self.event_id,
            workspace_id=key.workspace_id if key else None,
            api_key_id=key.id if key else None,
            workflow_id=workflow_id,
            received_at=self.received_at,
            state=state,
            kind=self.kind,
            platform=platform[:MAX_PLATFORM] if platform else guess_platform(agent),
            origin=attempt.origin if attempt else None,
            sent_by=attempt.sent_by if attempt else None,
            attempt_of_id=attempt.attempt_of_id if attempt else None,
            method=environ["REQUEST_METHOD"][:20],
            path=keep_address(address)[:2000],
            headers=self.headers or write_headers(environ),
            body=keep_body(body),
            body_size=self._body_size(),
            remote_addr=self.remote_addr[:64] or None,
            user_agent=mask_all_keys(agent)[:255] if agent else None,
            status=status,
            code=code,
            detail=keep_text(detail),
            errors=keep_text(errors),
            warnings=keep_text(warnings),
            took_ms=round((time.perf_counter() - self.started) * 1000, 3),
            reference=keep_id(reference),
            execution_id=keep_id(execution_id),
            correlation_id=keep_id(correlation_id),
            fingerprint=fingerprint,
            payload=keep_id(payload),
            next_attempt_at=self.received_at if state == "accepted" else None,
        )


def open_intake(environ: Environ, kind: str | None = None, of: type[Intake] = Intake) -> Intake:
    """The intake of a request; the errors' door finds it again in the environ."""
    intake = environ[_IN_ENVIRON] = of(environ, kind)
    return intake


def current_intake(environ: Environ) -> Intake:
    """The intake that was opened for this request, or else a new one."""
    return environ.get(_IN_ENVIRON) or open_intake(environ)


def _take_held(stream: Any) -> bytes:
    """What came of a piece whose rest did not: gunicorn's readers hold it until they have all."""
    try:
        reader, held = stream.reader, stream.buf.getvalue()
        if hasattr(reader, "length"):
            return bytes(held + reader.unreader.take_buffered()[: reader.length])
        return bytes(held + reader.buf.getvalue())
    except AttributeError:  # Another server's.
        return b""


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        "body_too_large", f"The body is larger than {limit:,} bytes. Send less, or split it."
    )

"""The web processes: gevent workers that end soon, and cut nobody off."""

import io
import socket
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import gevent
import gevent.os
import gevent.signal
import gevent.subprocess  # What a process patches with is loaded before the fork, for all.
from gevent import monkey
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from serving.slow_readers import PatientSocket

# Errors of gunicorn's own parser, with the row of the troubleshooting table for each.
UNREADABLE: dict[type[BaseException], str] = {
    errors.LimitRequestLine: "address_too_long",
    errors.LimitRequestHeaders: "headers_too_large",
    **dict.fromkeys(
        (
            errors.InvalidRequestLine,
            errors.InvalidRequestMethod,
            errors.InvalidHTTPVersion,
            errors.InvalidHeader,
            errors.InvalidHeaderName,
            errors.ObsoleteFolding,
            errors.UnsupportedTransferCoding,
            errors.ExpectationFailed,
        ),
        "bad_request",
    ),
}

# libev's highest priority: whoever waits with it goes on after one look at all connections, where
# `sleep(0)` would go on 50 times before it.
FOREMOST = 2
# Time for a request that is on its way when the stop begins.
STOP_IDLE_SECONDS = 1.0
# Time for a body that is on its way then.
STOP_SENDER_SECONDS = 3.0
# Time for a sender to read its answer while it sends on.
LINGER_SECONDS = 2.0
# Read of a body at once, and held until the application has taken it.
BODY_PIECE_BYTES = 64 * 1024
# The connections that may wait for a request, as a share of all that a process may have.
IDLE_SHARE = 0.9


class PromptWorker(GeventWorker):  # type: ignore[misc]
    """Closes idle connections soon after it was told to stop.

    gunicorn's own worker lets them run out, so that one browser tab with a connection kept open
    holds up the stop for all of `keepalive`. Whoever is in the middle of a request is let finish.
    """

    @classmethod
    def setup(cls) -> None:
        """gunicorn calls it before it loads the application, which builds on what is patched.

        The master starts and buries processes as ever: gevent would leave those unburied that the
        program before has started. A worker patches the rest.
        """
        monkey.patch_all(os=False, signal=False, subprocess=False)

    def patch(self) -> None:
        with warnings.catch_warnings():  # That it was patched before.
            warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
            super().patch()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        SocketUnreader.max_body_chunk = BODY_PIECE_BYTES
        self.idle: dict[gevent.Greenlet, gevent.Timeout] = {}
        self.most_idle = int(self.worker_connections * IDLE_SHARE)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Whoever takes an answer has as long for each piece of it as for a request."""
        super().handle(listener, PatientSocket.take_over(client, self.cfg.keepalive), addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around the wait for a request, from the first byte of its head to the last."""
        current = gevent.getcurrent()
        seconds = self.cfg.keepalive if self.alive else STOP_IDLE_SECONDS
        if len(self.idle) >= self.most_idle:
            gevent.get_hub().loop.run_callback(self.end_longest_idle)
        with gevent.Timeout(seconds, False) as self.idle[current]:
            try:
                yield
            finally:
                self.idle.pop(current, None)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request whose head can't be read as the application answers, and log it."""
        code = UNREADABLE.get(type(exc))
        if code is None:
            super().handle_error(req, client, addr, exc)
            return
        host, port = client.getsockname()[:2]
        environ = {
            "REMOTE_ADDR": str(addr[0]) if addr else "",
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "wsgi.input": io.BytesIO(),
        }
        begin = _read_so_far(exc) if code == "address_too_long" else b""
        answer = self.wsgi.extensions["flowpulse_unread"](code, environ, begin)
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        with suppress(OSError, gevent.Timeout), gevent.Timeout(STOP_IDLE_SECONDS):
            client.sendall(f"HTTP/1.1 {answer.status}\r\n{head}\r\n".encode() + answer.data)
        _take_the_rest(client)

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        super().handle_exit(number, frame)
        gevent.spawn_later(STOP_IDLE_SECONDS, self.close_idle, dict(self.idle))
        if hasattr(self, "wsgi"):  # Else told to stop while it was still being loaded.
            self.wsgi.extensions["flowpulse_hurry"](STOP_SENDER_SECONDS)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answers a request; where the connection ends with it, what still comes is taken in.

        Closed with bytes unread, the connection would be reset and take the answer back: a sender
        in the middle of a body that is too large would never learn of it.

        Where the connection goes on, all others have their turn first: gevent reads on while there
        is something to read, so that a sender whose answers wait for nothing held up everybody.
        """
        try:
            super().handle_request(listener_name, req, sock, addr)
            gevent.idle(FOREMOST)
        except StopIteration:
            if getattr(req.body.reader, "length", 1):
                _take_the_rest(sock)
            raise

    def end_longest_idle(self) -> None:
        """Have the connection that has waited longest make room: thousands that send nothing would
        keep everybody else waiting. Runs in the hub, where nobody's wait is just ending."""
        if len(self.idle) > self.most_idle:
            longest = next(iter(self.idle))
            longest.throw(self.idle.pop(longest))

    def close_idle(self, waits: dict[gevent.Greenlet, gevent.Timeout]) -> None:
        """Ends these waits, where they still last. Those that began later end by themselves: the
        connection may just have come in, with a request whose head is not read yet."""
        for greenlet, timeout in waits.items():
            if self.idle.get(greenlet) is timeout:
                gevent.kill(greenlet, timeout)


def _read_so_far(exc: BaseException) -> bytes:
    """What gunicorn's parser held of the request when it gave up: it hands over nothing else."""
    for frame, _ in traceback.walk_tb(exc.__traceback__):
        held = frame.f_locals.get("data")
        if isinstance(held, bytes) and held:
            return held
    return b""


def _take_the_rest(client: Any) -> None:
    """Say that nothing more will be sent, and read on for a while; all of it is thrown away."""
    with suppress(OSError, gevent.Timeout), gevent.Timeout(LINGER_SECONDS):
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass

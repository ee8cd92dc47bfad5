"""How gunicorn serves FlowPulse: gevent workers that end soon, and cut nobody off."""

import ctypes
import gc
import io
import os
import resource
import runpy
import signal
import socket
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import gevent
from gevent import monkey
from gunicorn.glogging import Logger
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

# Read by its path, not as app.config: the package must not be imported before gevent has patched
# what it builds on.
_settings = runpy.run_path(str(Path(__file__).parent / "app" / "config.py"))["load_settings"]()


class ShortLines(Logger):  # type: ignore[misc]
    """One short line an entry; supervisord and the journal know the rest."""

    error_fmt = "%(asctime)s web %(levelname)s %(message)s"
    datefmt = "%Y-%m-%d %H:%M:%S"


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
        monkey.patch_all(os=False, signal=False)

    def patch(self) -> None:
        with warnings.catch_warnings():  # That it was patched before.
            warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
            super().patch()

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.idle: dict[gevent.Greenlet, gevent.Timeout] = {}

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around the wait for a request, from the first byte of its head to the last."""
        current = gevent.getcurrent()
        seconds = self.cfg.keepalive if self.alive else STOP_IDLE_SECONDS
        with gevent.Timeout(seconds, False) as self.idle[current]:
            try:
                yield
            finally:
                del self.idle[current]

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


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


wsgi_app = "wsgi:app"
# Loaded once, in the master: its processes share that memory. A reload (HUP) starts the master anew.
preload_app = True
proc_name = "flowpulse"
bind = _address(str(_settings["HOST"]), int(_settings["PORT"]))
workers = max(1, int(_settings["WEB_CONCURRENCY"]))
worker_class = PromptWorker
# Connections at once in one process, idle ones and open event streams included.
worker_connections = 1000
backlog = 2048

# The gevent worker gives a sender this long for a whole request head, as well as between two
# requests: a socket that idles or sends half a header is closed after it. 0 would mean for ever.
# The body is read by the application, which sets its own limit (FLOWPULSE_BODY_TIMEOUT_SECONDS);
# what it left unread is skipped within this time too.
keepalive = 5
# With gevent this is no limit for a request: it ends a process whose loop stood still for so long.
timeout = 30
# Below supervisord's stopwaitsecs, so that gunicorn ends its workers by itself.
graceful_timeout = 25
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

# A header line of 4 KB must reach the application; all of them together bound what a socket that
# never finishes its head can hold in memory (100 x 8 KB).
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# Which proxies are believed is decided in one place, by FLOWPULSE_TRUSTED_PROXIES in the app.
forwarded_allow_ips = ""
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}

# gunicorn 27 opens a socket for remote control in the home folder unless told not to.
control_socket_disable = True

accesslog = None  # The live log shows every request.
errorlog = "-"
loglevel = os.environ.get("GUNICORN_LOG_LEVEL", "warning")
logger_class = ShortLines


def on_starting(server: Any) -> None:
    _allow_open_files()
    if os.environ.get("SUPERVISOR_ENABLED"):
        _end_with_parent()


def _allow_open_files() -> None:
    """As many as the connections need; many systems start with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = worker_connections + 4096
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _end_with_parent() -> None:
    """Have Linux tell us to stop when supervisord is killed: nobody else would, and the port would
    stay taken."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


# More than all requests at once hold: with Python's 700, each was looked over while it was served,
# which took a twentieth of the time. With five times as many a process held 10 MB more.
OBJECTS_UNTIL_COLLECTION = 10_000


def when_ready(server: Any) -> None:
    """Have a stop first turn away new connections, then finish those that are in."""
    gc.collect()
    gc.freeze()  # A collection writes into what it goes over, which ends the sharing.
    server.stop = _stop_gently(server.stop, server)
    server.reload = partial(_start_anew, server)
    _take_over(server)


def pre_request(worker: Any, req: Any) -> None:
    """Let the application end a connection: gunicorn drops its Connection header."""
    req.body.end_connection = req.force_close


def post_worker_init(worker: Any) -> None:
    """Tell the application when its process is to end, so that open event streams end with it.

    `alive` turns false within the signal handler, on SIGTERM and thereby also on a reload (HUP),
    where the master sends SIGTERM to the old workers.
    """
    gc.collect()
    gc.freeze()  # What was loaded stays: going over it again and again cost a tenth of the time.
    gc.set_threshold(OBJECTS_UNTIL_COLLECTION)
    worker.wsgi.extensions["flowpulse_stopping"] = lambda: not worker.alive
    worker.wsgi.extensions["flowpulse_web_beat"].start()


def worker_exit(server: Any, worker: Any) -> None:
    """Have what still waits in the process written: refused requests, counts, last uses of keys."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["flowpulse_web_beat"].stop()
        app.extensions["flowpulse_ingest"].close()


# --- Starting anew ----------------------------------------------------------------------------

FORMER_WORKERS = "FLOWPULSE_FORMER_WORKERS"
# They wait until the new program is there to heed them; unheeded, they would end it.
HELD_BACK = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD}


class FormerWorker:
    """A process that the program before has started: it is told to stop once others are there."""

    age = 0
    aborted = False

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.tmp = self

    def last_update(self) -> float:
        """When it last showed that it lives, which it no longer tells us."""
        return time.monotonic()

    def close(self) -> None:
        """Nothing of it is open here."""


def _start_anew(server: Any) -> None:
    """Run the program from the start, in the same process: new code and settings are loaded.

    Its sockets stay open and its workers go on serving meanwhile.
    """
    os.environ["GUNICORN_PID"] = str(os.getpid())
    os.environ["GUNICORN_FD"] = ",".join(str(each.fileno()) for each in server.LISTENERS)
    os.environ[FORMER_WORKERS] = ",".join(map(str, server.WORKERS))
    os.chdir(server.START_CTX["cwd"])
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _take_over(server: Any) -> None:
    """Start workers beside those of the program before; gunicorn then tells the oldest to stop."""
    former = os.environ.pop(FORMER_WORKERS, "")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    server.WORKERS.update({int(pid): FormerWorker(int(pid)) for pid in former.split(",") if pid})
    if former:
        for _ in range(server.num_workers):
            server.spawn_worker()


# A connection that the kernel has accepted, but the process hasn't yet, is reset when the listening
# socket closes (gunicorn issue 3397). Linux can refuse new connections without closing: a filter
# on the listening socket that drops what opens a connection. The workers then take in what waits,
# and nothing is reset; whoever knocks meanwhile knocks again a second later, and finds either the
# next server or a refusal. Elsewhere than on Linux the stop is the plain one.
TAKE_IN_SECONDS = 0.2
SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header, as (code, jump if true, jump if false, operand).
DROP_SYN = (
    (0x30, 0, 0, 13),  # Load the byte of flags,
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of it;
    (0x15, 0, 1, 0x02),  # where that is SYN alone
    (0x06, 0, 0, 0),  # drop the packet,
    (0x06, 0, 0, 0xFFFFFFFF),  # else let it pass.
)


def _stop_gently(stop: Callable[..., None], server: Any) -> Callable[..., None]:
    def stop_gently(graceful: bool = True) -> None:
        if graceful and all(map(_refuse_new_connections, server.LISTENERS)):
            time.sleep(TAKE_IN_SECONDS)
        stop(graceful)

    return stop_gently


def _refuse_new_connections(listener: Any) -> bool:
    program = b"".join(struct.pack("=HBBI", *step) for step in DROP_SYN)
    memory = ctypes.create_string_buffer(program)
    pointer = struct.pack("@HP", len(DROP_SYN), ctypes.addressof(memory))
    try:
        listener.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
    except OSError:
        return False
    return True

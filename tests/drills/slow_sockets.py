"""Connections that send or take next to nothing, many at once, and when the server closes them."""

import re
import select
import socket
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import psutil

from tests.server import ROOT, LiveServer
from tests.teams import LiveTeam
from tests.together import Meanwhile

STEP = 0.1
LOOK = 0.5
"""Seconds between two looks at the server's ends: nothing tells a reader who takes nothing."""
VENDOR = ROOT / "static" / "vendor"
LARGEST = max(VENDOR.iterdir(), key=lambda each: each.stat().st_size)
LARGE_FILE = f"/static/vendor/{LARGEST.name}".encode()
SMALL = 4_096
"""Bytes that a slow reader's side of the connection takes in by itself; the kernel doubles it."""


class Kind(NamedTuple):
    """A way to be slow: what is sent at once, and what of it then once a second.

    `takes`: the bytes of the answer that are read a second; all of it where that is None.
    `is_refused`: the answer comes, and the connection may end, before its time is over.
    `stays`: it does nothing that the server should end it for.
    """

    begin: bytes
    drip: bytes = b""
    takes: int | None = None
    is_refused: bool = False
    stays: bool = False


def kinds(team: LiveTeam, cookie: str) -> dict[str, Kind]:
    """All ways, as a stranger, with a good key, and signed in."""
    event = b"POST /api/v1/ingest/run-success HTTP/1.1\r\nHost: localhost\r\n"
    batch = event.replace(b"run-success", b"batch")
    ping = f"POST /api/v1/ping/{team.slug} HTTP/1.1\r\nHost: localhost\r\n".encode()
    form = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"
    form += b"Content-Type: application/x-www-form-urlencoded\r\n"
    key = f"X-API-Key: {team.key}\r\n".encode()
    length, chunked = b"Content-Length: 400\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
    page = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: identity\r\n%s\r\n"
    own = f"Cookie: {cookie}\r\n".encode()
    return {
        "nothing": Kind(b""),
        "half a request line": Kind(b"POST /api/v1/ing"),
        "half a head": Kind(event + b"X-Half: "),
        "half a head, with a key": Kind(event + key),
        "a head, a byte a second": Kind(event, b"X-Slow: " + b"a" * 300),
        "no body": Kind(event + length, is_refused=True),
        "no body, with a key": Kind(event + key + length),
        "half a body": Kind(event + key + length + b'{"workflow_slug":'),
        "half a chunk": Kind(event + key + chunked + b"20\r\n{"),
        "a body, a byte a second": Kind(event + key + length, b'{"workflow_slug": "' * 20),
        "a batch, a byte a second": Kind(batch + key + length, b'{"events": [' * 30),
        "a ping, a byte a second": Kind(ping + key + length, b"it went well " * 30),
        "chunks, a byte a second": Kind(event + key + chunked, b"1\r\n{\r\n" * 60),
        "a form that never comes": Kind(form + length),
        "a form, a byte a second": Kind(form + length, b"email=ana@example.org&" * 20),
        "an answered request": Kind(page % (b"/healthz", b"")),
        "a page, taken a byte a second": Kind(page % (b"/troubleshooting", b""), takes=1),
        "a page that is not taken": Kind(page % (b"/troubleshooting", b""), takes=0),
        "files that are not taken": Kind(page % (LARGE_FILE, b"") * 40, takes=0),
        "a file, taken a byte a second": Kind(page % (LARGE_FILE, b""), takes=1),
        "the API, taken a byte a second": Kind(page % (b"/api/v1/openapi.json", key), takes=1),
        "a live log": Kind(page % (b"/events/stream", own), takes=1, stays=True),
        "a live log that is not taken": Kind(page % (b"/events/stream", own), takes=0),
    }


def untaken_answers() -> dict[str, Kind]:
    """More than the kernel holds of what is computed for each request: not for a thousand."""
    request = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return {"answers that are not taken": Kind(request * 60, takes=0)}


def find_missing(server: LiveServer, ways: dict[str, Kind]) -> dict[str, bytes]:
    """Of those that are slow to take an answer: how it begins where that is not with 200."""
    begun = {}
    for name, kind in ways.items():
        if kind.takes is not None:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(kind.begin)
                begun[name] = connection.makefile("rb").readline()
    return {name: line for name, line in begun.items() if not line.startswith(b"HTTP/1.1 200 ")}


@dataclass(eq=False)
class Slow:
    """One connection; times are monotonic."""

    name: str
    kind: Kind
    connection: socket.socket
    opened_at: float
    left: bytes = b""
    came: bytes = b""
    closed_at: float | None = None
    due: float = field(default=0.0)

    @property
    def status(self) -> int:
        """What it was answered with; 0: nothing yet."""
        found = re.match(rb"HTTP/1\.1 (\d+) ", self.came)
        return int(found[1]) if found else 0

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.closed_at or float("inf")) - self.opened_at


class SlowSockets(Meanwhile):
    """So many of them, of all kinds by turns. `with SlowSockets(server, kinds, 1_000) as slow:`"""

    def __init__(self, server: LiveServer, ways: dict[str, Kind], count: int) -> None:
        super().__init__([self._go_on])
        self._server = server
        self._poll = select.poll()
        names = list(ways)
        chosen = [names[number % len(names)] for number in range(count)]
        self.all = [self._open(name, ways[name]) for name in chosen]
        self._by_number = {each.connection.fileno(): each for each in self.all}
        self._by_port = {each.connection.getsockname()[1]: each for each in self.all}
        self._looked_at = 0.0

    @property
    def open(self) -> list[Slow]:
        return [each for each in self.all if each.closed_at is None and not each.kind.stays]

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for each in self.all:
            each.connection.close()

    def _open(self, name: str, kind: Kind) -> Slow:
        connection = socket.socket()
        if kind.takes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", self._server.port))
        connection.sendall(kind.begin)
        connection.setblocking(False)
        wanted = select.POLLRDHUP | (select.POLLIN if kind.takes is None else 0)
        self._poll.register(connection, wanted)
        return Slow(name, kind, connection, time.monotonic(), kind.drip)

    def _go_on(self) -> None:
        while not self.is_over.wait(STEP):
            for number, events in self._poll.poll(0):
                self._notice(self._by_number[number], events)
            if time.monotonic() >= self._looked_at + LOOK:
                self._look_at_the_server()
            for each in self.all:
                if each.closed_at is None and each.due <= time.monotonic():
                    each.due = time.monotonic() + 1.0
                    self._drip(each)

    def _notice(self, each: Slow, events: int) -> None:
        ended = bool(events & (select.POLLERR | select.POLLHUP | select.POLLRDHUP))
        if each.kind.takes is None:
            ended |= not self._take(each, 65_536)
        if ended:
            self._close(each)

    def _look_at_the_server(self) -> None:
        """What it still holds for readers, in its process or in the kernel."""
        self._looked_at = time.monotonic()
        held = {
            end.raddr.port
            for end in psutil.net_connections("tcp4")
            if end.laddr.port == self._server.port and end.raddr
        }
        for port, each in self._by_port.items():
            if each.closed_at is None and each.kind.takes is not None and port not in held:
                self._close(each)

    def _close(self, each: Slow) -> None:
        each.closed_at = time.monotonic()
        self._poll.unregister(each.connection)

    def _take(self, each: Slow, count: int) -> bool:
        """Whether the connection goes on."""
        try:
            came = each.connection.recv(count)
        except BlockingIOError:
            return True
        except OSError:
            return False
        each.came += came
        return came != b""

    def _drip(self, each: Slow) -> None:
        try:
            if each.left:
                each.connection.send(each.left[:1])
                each.left = each.left[1:]
        except OSError:
            pass  # That it is closed is noticed by looking at it.
        if each.kind.takes:
            self._take(each, each.kind.takes)

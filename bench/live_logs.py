"""`python -m bench.live_logs URL COUNT`: keeps live logs open as browsers do, counts what comes.

Reads the session's cookie from the first line of its input; says "ready" once all logs are open,
and what it has counted, as JSON, at the end of its input. One thread that looks at bytes alone:
it shares the machine with the server that is measured, where browsers would not.
"""

import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import requests

from bench.servers import PYTHON, ROOT, NotReady

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 0.5, 5.0
SHOWN = 500
"""Rows of a page. It asks what became of those that wait, as it comes back."""
_STREAM = re.compile(r'hx-sse:connect="([^"]+)"')
_END = b"\r\n0\r\n\r\n"
_AT_ONCE = 1 << 18


@dataclass
class Counts:
    """What all logs have received, and how often one began anew or was turned away."""

    rows: int = 0
    megabytes: float = 0.0
    reconnects: int = 0
    refusals: int = 0
    cpu_seconds: float = 0.0


@dataclass
class Log:
    """One page's stream."""

    path: str
    client: socket.socket | None = None
    is_open: bool = False
    last_id: int | None = None
    rest: bytes = b""
    failures: int = 0
    retry_at: float = 0.0


@dataclass
class Readers:
    """All pages, in one loop."""

    address: tuple[str, int]
    cookie: str
    logs: list[Log]
    counts: Counts = field(default_factory=Counts)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def look(self, seconds: float) -> None:
        """Take what comes within the time, and begin streams anew that are due."""
        for log in self.logs:
            if log.client is None and log.retry_at <= time.monotonic():
                self._connect(log)
        for key, _ in self.selector.select(seconds):
            if isinstance(key.data, Log):
                self._receive(key.data)

    def _connect(self, log: Log) -> None:
        log.client = socket.create_connection(self.address, timeout=10)
        log.client.sendall(self._request(log))
        log.client.setblocking(False)
        self.selector.register(log.client, selectors.EVENT_READ, log)

    def _request(self, log: Log) -> bytes:
        lines = [
            f"GET {log.path} HTTP/1.1",
            f"Host: {self.address[0]}:{self.address[1]}",
            f"Cookie: {self.cookie}",
            "Accept: text/event-stream",
        ]
        if log.last_id is not None:
            lines.append(f"Last-Event-ID: {log.last_id}")
            lines.append(f"X-Pending-From: {max(log.last_id - SHOWN, 1)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _receive(self, log: Log) -> None:
        assert log.client is not None
        try:
            got = log.client.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if got and not log.is_open and not got.startswith(b"HTTP/1.1 200"):
            self.counts.refusals += 1
            got = b""
        if got:
            log.is_open, log.failures = True, 0
            self._count(log, got)
        if not got or got.endswith(_END):
            self._retry(log)

    def _count(self, log: Log, got: bytes) -> None:
        self.counts.megabytes += len(got) / 1e6
        data = log.rest + got
        end = data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
        whole, log.rest = data[:end], data[end:][-_AT_ONCE:]
        self.counts.rows += whole.count(b"\n\n") - whole.count(b"event: beat")
        at = whole.rfind(b"\nid: ")
        if at >= 0:
            log.last_id = int(whole[at + 5 : whole.index(b"\n", at + 5)])

    def _retry(self, log: Log) -> None:
        assert log.client is not None
        self.selector.unregister(log.client)
        log.client.close()
        self.counts.reconnects += 1
        wait = min(FIRST_RETRY_SECONDS * 2**log.failures, LONGEST_RETRY_SECONDS)
        log.client, log.is_open, log.rest = None, False, b""
        log.failures, log.retry_at = log.failures + 1, time.monotonic() + wait


def connect(url: str, cookie: str, count: int) -> Readers:
    """So many pages, whose streams are all open."""
    parts = urlsplit(url)
    page = requests.get(f"{url}/events", headers={"Cookie": cookie}, timeout=60).text
    found = _STREAM.search(page)
    if found is None:
        raise NotReady("The page has no stream.")
    path = found[1].replace("&amp;", "&")
    logs = [Log(path) for _ in range(count)]
    readers = Readers((str(parts.hostname), int(parts.port or 80)), cookie, logs)
    while not all(log.is_open for log in logs):
        readers.look(0.1)
    return readers


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    cookie = sys.stdin.readline().strip()
    readers = connect(url, cookie, count)
    readers.selector.register(sys.stdin, selectors.EVENT_READ)
    print("ready", flush=True)
    readers.counts = Counts()
    began = time.process_time()
    while not _is_told_to_end(readers):
        readers.look(0.1)
    readers.counts.cpu_seconds = time.process_time() - began
    print(json.dumps(asdict(readers.counts)), flush=True)


def _is_told_to_end(readers: Readers) -> bool:
    key = readers.selector.get_key(sys.stdin)
    return any(each is key for each, _ in readers.selector.select(0))


# --- in the process that measures -----------------------------------------------------------------


class Reading:
    """Live logs that are open; `counts` once they are closed."""

    counts: Counts


@contextmanager
def open_logs(url: str, cookie: str, count: int) -> Iterator[Reading]:
    """So many live logs, in a process of their own, all of them open at first."""
    reading = Reading()
    command = [PYTHON, "-m", "bench.live_logs", url, str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as started:
        assert started.stdin and started.stdout
        try:
            started.stdin.write(cookie + "\n")
            started.stdin.flush()
            if started.stdout.readline() != "ready\n":
                raise NotReady(f"{count} live logs did not open")
            yield reading
            started.stdin.close()
            reading.counts = Counts(**json.loads(started.stdout.readline()))
        finally:
            started.kill()


if __name__ == "__main__":
    main()

"""Starts the servers that are measured, each in processes of its own, and asks what they use."""

import gc
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from tests.postgres import PostgresCluster

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable
WEB_PROCESSES = 2
START_SECONDS = 60
STOP_SECONDS = 40
_TRACE = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none")
_TRACED = ("-e", "trace=fsync,fdatasync")


class NotReady(Exception):
    """A server did not come up, or not with as many processes as it should have."""


@dataclass(frozen=True)
class Database:
    """Where a subject keeps its events; `cluster` is None with SQLite, and for the bare view."""

    kind: str
    url: str
    folder: Path
    cluster: PostgresCluster | None = None

    def cpu_seconds(self) -> float:
        """CPU time of PostgreSQL's processes so far, those that have ended included."""
        if self.cluster is None or self.cluster.process is None:
            return 0.0
        postmaster = psutil.Process(self.cluster.process.pid)
        ended = postmaster.cpu_times()
        return cpu_seconds(postmaster) + ended.children_user + ended.children_system

    def mb(self) -> float:
        """PSS of PostgreSQL's processes, with the pages of `shared_buffers` that they use."""
        if self.cluster is None or self.cluster.process is None:
            return 0.0
        postmaster = psutil.Process(self.cluster.process.pid)
        return sum(map(pss_mb, [postmaster, *postmaster.children(recursive=True)]))


@dataclass(frozen=True)
class Web:
    """A running gunicorn: the master, and the processes that serve."""

    url: str
    master: psutil.Process

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.master)

    def web_mb(self) -> float:
        """PSS of the processes that serve: pages that processes share are counted once."""
        return sum(map(pss_mb, self.master.children()))

    def master_mb(self) -> float:
        return pss_mb(self.master)

    def wait_until_idle(self) -> None:
        """Until all processes have loaded the application, or have done what they had to do."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            before = self.cpu_seconds()
            time.sleep(0.3)
            if len(self.master.children()) == WEB_PROCESSES and self.cpu_seconds() - before < 0.02:
                return
        raise NotReady(f"{self.url} does not come to rest")


@dataclass(frozen=True)
class Server:
    """A gunicorn under test, with FlowPulse's own settings file."""

    target: str
    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['PORT']}"

    @contextmanager
    def running(self, trace: Path | None = None) -> Iterator[Web]:
        """`trace`: a file that gets a line for each fsync and fdatasync."""
        command = [PYTHON, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), self.target]
        tracing = [*_TRACE, *_TRACED, "-o", str(trace)] if trace else []
        with ended_at_last([*tracing, *command], self.environment) as started:
            _wait_for(self.url, started)
            web = Web(self.url, psutil.Process(started.pid))
            web.wait_until_idle()
            yield web

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        with self.process("-m", "flask", "--app", "wsgi", "worker") as worker:
            yield worker

    @contextmanager
    def process(self, *command: str) -> Iterator[psutil.Process]:
        """Python with these arguments, in the server's environment."""
        with ended_at_last([PYTHON, *command], self.environment) as started:
            yield psutil.Process(started.pid)


def can_trace() -> bool:
    """Whether strace is there and allowed."""
    if shutil.which("strace") is None:
        return False
    command = [*_TRACE, *_TRACED, "-o", os.devnull, "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def count_syncs(trace: Path) -> int:
    """How many times the traced processes have asked for the disk so far."""
    return len(re.findall(r"\bf(?:data)?sync\(", trace.read_text()))


@contextmanager
def ended_at_last(
    command: list[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to stop at the end, and killed where it does not."""
    started = subprocess.Popen(command, cwd=ROOT, env=dict(environment))
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def collect_as_served() -> None:
    """Have this process collect garbage as rarely as the server's processes do."""
    settings = (ROOT / "gunicorn.conf.py").read_text()
    found = re.search(r"^OBJECTS_UNTIL_COLLECTION = ([\d_]+)$", settings, re.M)
    if found is None:
        raise SystemExit("gunicorn.conf.py no longer says OBJECTS_UNTIL_COLLECTION.")
    gc.collect()
    gc.freeze()
    gc.set_threshold(int(found[1]))


def _wait_for(url: str, started: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and started.poll() is None:
        try:
            requests.get(url, timeout=1)
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise NotReady(f"{url} did not come up")


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and those that it has started, from their own accounting."""
    return sum(map(_cpu_seconds, [process, *process.children(recursive=True)]))


def _cpu_seconds(process: psutil.Process) -> float:
    """Nothing for one that has ended meanwhile, such as a connection's."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def pss_mb(process: psutil.Process) -> float:
    """Nothing for one that has ended meanwhile."""
    try:
        return float(process.memory_full_info().pss / 2**20)
    except psutil.NoSuchProcess:
        return 0.0

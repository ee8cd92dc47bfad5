"""Starts the servers that are measured, each in processes of its own."""

import gc
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable


@dataclass
class Server:
    """A gunicorn under test, with FlowPulse's own settings file."""

    name: str
    target: str
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/api/v1/ingest/run-success"
    body: str = "{}"
    expected: int = 202
    with_idempotency_key: bool = False
    port: int = field(default_factory=lambda: free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[psutil.Process]:
        environment = {**os.environ, **self.environment, "PORT": str(self.port)}
        command = [PYTHON, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), self.target]
        started = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            _wait_for(self.url)
            yield psutil.Process(started.pid)
        finally:
            started.terminate()
            started.wait(40)


def collect_as_served() -> None:
    """Have this process collect garbage as rarely as the server's processes do."""
    settings = (ROOT / "gunicorn.conf.py").read_text()
    found = re.search(r"^OBJECTS_UNTIL_COLLECTION = ([\d_]+)$", settings, re.M)
    if found is None:
        raise SystemExit("gunicorn.conf.py no longer says OBJECTS_UNTIL_COLLECTION.")
    gc.collect()
    gc.freeze()
    gc.set_threshold(int(found[1]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            requests.get(url, timeout=1)
            return
        except requests.RequestException:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not come up")


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a server's processes so far, from their own accounting."""
    processes = [process, *process.children(recursive=True)]
    times = [each.cpu_times() for each in processes]
    return sum(each.user + each.system for each in times)


def memory_mb(process: psutil.Process) -> float:
    """Memory of the web processes (PSS: shared pages counted once)."""
    return float(
        sum(each.memory_full_info().pss for each in process.children(recursive=True)) / 2**20
    )

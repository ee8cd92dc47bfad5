"""Sends load with wrk and reads what it says."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from bench.measured import Round
from bench.servers import Database, Web

CONNECTIONS = 32
ANSWER_SECONDS = 10
"""An answer that takes longer is an error."""
SCRIPT = Path(__file__).with_name("request.lua")


@dataclass(frozen=True)
class Request:
    """What is sent again and again; an answer of another status than expected is an error."""

    path: str = "/api/v1/ingest/run-success"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    expected: int = 202
    with_idempotency_key: bool = False


class Load(NamedTuple):
    """How it is sent: each connection asks again as soon as it is answered, or after a pause."""

    seconds: int
    connections: int = CONNECTIONS
    pause_ms: float = 0


class NoLoadGenerator(Exception):
    """wrk is not installed."""


class _Told(NamedTuple):
    """What wrk tells; times in ms."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


def run_round(web: Web, request: Request, load: Load, database: Database) -> Round:
    """Throughput, latencies, errors, and what it cost the processes a request."""
    cpu, database_cpu = web.cpu_seconds(), database.cpu_seconds()
    told = send(web.url, request, load)
    count = max(told.requests, 1)
    return {
        "requests": told.requests,
        "rate": told.requests / told.seconds,
        **({"p50_ms": told.p50_ms, "p99_ms": told.p99_ms} if told.requests else {}),
        "errors": told.errors,
        "cpu_ms": (web.cpu_seconds() - cpu) * 1000 / count,
        **(
            {"database_cpu_ms": (database.cpu_seconds() - database_cpu) * 1000 / count}
            if database.cluster
            else {}
        ),
    }


def send(url: str, request: Request, load: Load) -> _Told:
    command = [find_wrk(), "-t1", f"-c{load.connections}", f"-d{load.seconds}s"]
    command += [f"--timeout={ANSWER_SECONDS}s", "-s", str(SCRIPT), url + request.path]
    with NamedTemporaryFile("w", suffix=".json") as body:  # A batch is too long for a variable.
        body.write(request.body or "")
        body.flush()
        told = _tell(request, load) | ({"BODY_FILE": body.name} if request.body else {})
        done = subprocess.run(command, env=told, capture_output=True, text=True)
    return read(done.stdout or done.stderr)


def find_wrk() -> str:
    """Raises NoLoadGenerator."""
    wrk = shutil.which("wrk")
    if not wrk:
        raise NoLoadGenerator("Install wrk first (Debian: apt-get install wrk).")
    return wrk


def _tell(request: Request, load: Load) -> dict[str, str]:
    """The request in variables that the script reads."""
    return {
        "METHOD": request.method,
        "EXPECTED": str(request.expected),
        **({"WITH_IDEMPOTENCY_KEY": "1"} if request.with_idempotency_key else {}),
        **({"PAUSE_MS": f"{load.pause_ms:.1f}"} if load.pause_ms else {}),
        **{f"HEADER_{i}": f"{k}: {v}" for i, (k, v) in enumerate(request.headers.items())},
    }


def read(output: str) -> _Told:
    """The line that the script writes at the end."""
    found = re.search(r"figures: (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    if not found:
        raise ValueError(f"wrk told no figures:\n{output}")
    requests, microseconds, p50, p99, errors = map(int, found.groups())
    return _Told(requests, microseconds / 1e6, p50 / 1e3, p99 / 1e3, errors)

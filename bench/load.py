"""Sends load with wrk and reads what it says."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import psutil

from bench.servers import Server, cpu_seconds, memory_mb

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Round:
    """One round's figures; times in ms."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    memory_mb: float
    errors: int


class NoLoadGenerator(Exception):
    """wrk is not installed."""


def run_round(
    server: Server, process: psutil.Process, seconds: int, connections: int = CONNECTIONS
) -> Round:
    """Load for some seconds; an answer of another status than expected is an error."""
    wrk = shutil.which("wrk")
    if not wrk:
        raise NoLoadGenerator("Install wrk first (Debian: apt-get install wrk).")
    before = cpu_seconds(process)
    environment = {
        "EXPECTED": str(server.expected),
        **({"WITH_IDEMPOTENCY_KEY": "1"} if server.with_idempotency_key else {}),
        **{f"HEADER_{i}": f"{k}: {v}" for i, (k, v) in enumerate(server.headers.items())},
    }
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "--latency"]
    with NamedTemporaryFile("w", suffix=".json") as body:  # A batch is too long for a variable.
        body.write(server.body)
        body.flush()
        environment["BODY_FILE"] = body.name
        output = subprocess.run(
            [*command, "-s", str(SCRIPT), server.url + server.path],
            env=environment,
            capture_output=True,
            text=True,
        ).stdout
    count = _number(r"(\d+) requests in", output)
    return Round(
        _number(r"Requests/sec:\s+([\d.]+)", output),
        _milliseconds("50%", output),
        _milliseconds("99%", output),
        (cpu_seconds(process) - before) * 1000 / max(count, 1),
        memory_mb(process),
        int(_number(r"unexpected answers: (\d+)", output)) + _socket_errors(output),
    )


def _number(pattern: str, output: str) -> float:
    found = re.search(pattern, output)
    if not found:
        raise ValueError(f"wrk did not say {pattern!r}:\n{output}")
    return float(found[1])


def _milliseconds(percentile: str, output: str) -> float:
    found = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", output)
    if not found:
        raise ValueError(f"wrk gave no {percentile}:\n{output}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _socket_errors(output: str) -> int:
    found = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    return sum(map(int, found.groups())) if found else 0

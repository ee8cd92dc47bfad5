"""flowpulse-run and curl against the real server: the job stays as it is, its run is told."""

import ast
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

pytestmark = pytest.mark.once  # It speaks to a server, whose database plays no part in that.
SCRIPT = Path(__file__).parents[2] / "static" / "flowpulse-run.py"
AWKWARD = "He said \"no\": C:\\new\\table\nline two\ttabbed 'single' ü€ ✓"


def environment(url: str, key: str) -> dict[str, str]:
    return {**os.environ, "FLOWPULSE_URL": url, "FLOWPULSE_API_KEY": key}


@pytest.fixture
def around(live_server: LiveServer, live_team: LiveTeam) -> Any:
    """Runs a job under the file as the server gives it."""
    file = live_server.data_dir / "flowpulse-run"
    answer = live_server.get("/flowpulse-run")
    assert answer.headers["Content-Type"] == "text/x-python; charset=utf-8"
    file.write_bytes(answer.content)

    def run(*job: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, str(file), live_team.slug, "--", *job]
        options = {"env": environment(live_server.url, live_team.key), "timeout": 60, **options}
        return subprocess.run(command, capture_output=True, check=False, **options)

    return run


def newest(server: LiveServer, team: LiveTeam, path: str = "runs") -> dict[str, Any] | None:
    found = server.get(f"/api/v1/{path}?limit=1", headers=team.headers).json()["data"]
    return found[0] if found else None


def ended(server: LiveServer, team: LiveTeam, events: int = 2) -> dict[str, Any]:
    """The newest run, once all its events have been processed."""

    def find() -> dict[str, Any] | None:
        run, event = newest(server, team), newest(server, team, "events")
        if not run or run["outcome"] == "running" or run["event_count"] != events:
            return None
        return run if event and event["run_id"] == run["id"] else None

    return dict(wait_for(find, 10))


def test_it_runs_on_python_3_8() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))


def test_a_success_is_told_with_its_start_and_the_output_is_handed_on(
    around: Any, live_server: LiveServer, live_team: LiveTeam
) -> None:
    done = around("sh", "-c", "cat; echo warn >&2; sleep 0.2", input=b"hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello", b"warn\n")
    run = ended(live_server, live_team)
    assert (run["outcome"], run["source_platform"]) == ("success", "cron")
    assert 200 <= run["duration_ms"] < 30_000 and run["started_at"] < run["ended_at"]
    assert run["metadata"]["exit_status"] == 0
    assert sorted(run["metadata"]["message"]) == sorted("hellowarn")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (AWKWARD.encode(), AWKWARD),
        (b"\x1b[31mred\x1b[0m\x00 \xff bad", "red \ufffd bad"),
        (b"", "The command ended with exit status 3."),
        (b"head" + "ü".encode() * 9_000, "ü" * 5_120),
    ],
    ids=["awkward", "binary", "silent", "long"],
)
def test_a_failure_is_told_with_the_end_of_the_output(
    around: Any, live_server: LiveServer, live_team: LiveTeam, said: bytes, expected: str
) -> None:
    done = around("sh", "-c", "cat >&2; exit 3", input=said)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", said)
    run = ended(live_server, live_team)
    assert (run["outcome"], run["error_type"]) == ("failure", "exit status 3")
    assert run["error_message"] == expected


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL", "SIGSEGV"])
def test_a_job_that_dies_of_a_signal_is_seen_to_die_of_it(around: Any, name: str) -> None:
    done = around("sh", "-c", f"kill -{name.removeprefix('SIG')} $$")
    assert done.returncode == -getattr(signal, name)


def test_a_job_that_is_not_there_or_must_not_run(around: Any, tmp_path: Path) -> None:
    assert around("/no/such/job").returncode == 127
    assert around(str(tmp_path)).returncode == 126


WITHOUT_PROCESSES = """
import os, runpy, sys, threading

def refuse(*arguments):
    raise RuntimeError("can't start new thread")

def refuse_too(*arguments):
    raise BlockingIOError(11, "Resource temporarily unavailable")

threading.Thread.start, os.fork = refuse, refuse_too
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("job", "status"),
    [
        ("echo done", 0),
        ("echo done; exit 3", 3),
        ("echo done; kill -TERM $$", -signal.SIGTERM),
        ("sleep 2 & echo done; exit 4", 4),
    ],
)
def test_a_job_stays_as_it_is_where_no_thread_or_process_can_be_started(
    job: str, status: int
) -> None:
    """As with a limit on them, which root would not be held to."""
    command = [str(SCRIPT), "lead-enrichment", "--", "sh", "-c", job]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PROCESSES, *command],
        env=environment("http://127.0.0.1:9", "fp_x"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (status, b"done\n")
    assert b"the start can't be sent: can't start new thread" in done.stderr
    assert b"Traceback" not in done.stderr


def start(url: str, key: str, *job: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(SCRIPT), "lead-enrichment", "--", *job]
    return subprocess.Popen(command, env=environment(url, key), stdout=subprocess.PIPE)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
def test_a_signal_reaches_the_job_which_may_decide(
    live_server: LiveServer, live_team: LiveTeam, name: str
) -> None:
    trap = f"trap 'echo got; exit 9' {name.removeprefix('SIG')}"
    script = f"{trap}; echo ready; while :; do sleep 0.1; done"
    process = start(live_server.url, live_team.key, "sh", "-c", script)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, name))
    assert process.stdout.read() == b"got\n"
    assert process.wait(30) == 9


def test_what_a_job_leaves_running_writes_on_and_holds_nothing_up(around: Any) -> None:
    done = around("sh", "-c", "(sleep 1; echo late) & echo now")
    assert (done.returncode, done.stdout) == (0, b"now\nlate\n")


def test_a_reader_that_goes_away_is_noticed_by_the_job() -> None:
    command = f"{sys.executable} {SCRIPT} x -- yes; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -n 1"], capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b"y\n" and b"141" in done.stderr


@pytest.fixture
def mute_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["mute", "closed", "refusing", "no address"])
def test_a_job_goes_on_whatever_becomes_of_the_report(
    kind: str, mute_server: str, live_server: LiveServer
) -> None:
    urls = {"mute": mute_server, "refusing": live_server.url, "no address": "file:///etc/passwd"}
    url = urls.get(kind, f"http://127.0.0.1:{free_port()}")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "x", "--", "sh", "-c", "echo out; exit 5"],
        env=environment(url, "fp_wrong"),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, b"out\n")
    assert b"flowpulse-run: " in done.stderr and b"fp_wrong" not in done.stderr


def test_a_ping_with_curl_tells_start_output_and_status(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    address = f"{live_server.url}/api/v1/ping/{live_team.slug}"
    curl = f"curl -fsS --max-time 20 -o /dev/null -H 'X-API-Key: {live_team.key}'"
    script = f"{curl} {address}/start; out=$(echo disk full; exit 4)\n"
    script += f'{curl} --data-raw "$out" {address}/$?; {curl} -I {address}'
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=90, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    newest_run = ended(live_server, live_team, events=1)
    assert newest_run["outcome"] == "success"
    data = live_server.get("/api/v1/runs?limit=2", headers=live_team.headers).json()["data"]
    assert (data[1]["outcome"], data[1]["error_message"]) == ("failure", "disk full")
    assert data[1]["event_count"] == 2 and data[1]["duration_ms"] is not None

"""flowpulse-run leaves the descriptors of its job alone, and tries to tell its start again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.server import wait_for

SCRIPT = Path(__file__).parents[2] / "static" / "flowpulse-run.py"
UNDER_IT = (sys.executable, str(SCRIPT), "job", "--")
SILENT = {name: text for name, text in os.environ.items() if not name.startswith("FLOWPULSE_")}


def in_bash(script: str, *job: str) -> "subprocess.CompletedProcess[bytes]":
    """The script with the job as its arguments, while nothing is reported."""
    command = ["bash", "-c", script, "bash", *job]
    return subprocess.run(command, env=SILENT, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("script", "job"),
    [
        ('"$@" <(echo hi)', ["cat"]),
        ('"$@" > >(cat)', ["echo", "hi"]),
        ('{ "$@" 3>&1 >&2; } 2>/dev/null', ["sh", "-c", "echo hi >&3"]),
        ('exec 9<<<hi; "$@"', ["sh", "-c", "cat <&9"]),
    ],
    ids=["process substitution", "output substitution", "a log", "here string"],
)
def test_a_job_has_the_descriptors_that_it_was_given(script: str, job: list[str]) -> None:
    done = in_bash(script, *UNDER_IT, *job)
    assert (done.returncode, done.stdout) == (0, b"hi\n")


def test_a_descriptor_ends_when_the_job_lets_go_of_it() -> None:
    reader, writer = os.pipe()
    job = ("bash", "-c", f"exec {writer}>&-; cat")
    process = subprocess.Popen(
        [*UNDER_IT, *job],
        env=SILENT,
        pass_fds=[writer],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        assert source.read() == b""
    assert process.poll() is None
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "job",
    [
        (sys.executable, "-c", "print(1)"),
        ("sh", "-c", "echo hi"),
        ("sh", "-c", "echo hi >&2"),
        ("cat",),
        ("sh", "-c", "exec 8>&1 9>&2"),
    ],
    ids=["python", "out", "err", "in", "both"],
)
def test_what_was_closed_is_closed_to_the_job_too(closed: str, job: tuple[str, ...]) -> None:
    script = f'"$@" {closed} </dev/null' if "<&-" not in closed else f'"$@" {closed}'
    alone, under_it = in_bash(script, *job), in_bash(script, *UNDER_IT, *job)
    assert (under_it.returncode, under_it.stdout) == (alone.returncode, alone.stdout)


class Receiver(BaseHTTPRequestHandler):
    """Refuses the first request to each address, as a server does that is just starting."""

    got: list[tuple[str, str]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.rpartition("/")[2]
        is_first = kind not in [known for known, _ in self.got]
        self.got.append((kind, self.headers["Idempotency-Key"]))
        self.send_response(503 if is_first else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the tests' output is theirs."""


@pytest.fixture
def receiver() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (Receiver,), {"got": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_start_that_was_not_taken_is_sent_again_with_the_same_key(
    receiver: ThreadingHTTPServer,
) -> None:
    got: list[tuple[str, str]] = receiver.RequestHandlerClass.got  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{receiver.server_port}"
    process = subprocess.Popen(
        [*UNDER_IT, "cat"],
        env={**SILENT, "FLOWPULSE_URL": url, "FLOWPULSE_API_KEY": "fp_x"},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: len(got) == 2, 20)
    assert [kind for kind, _ in got] == ["run-start"] * 2
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, b"")
    assert [kind for kind, _ in got[2:]] == ["run-success"] * 2
    assert len({key for _, key in got}) == 2

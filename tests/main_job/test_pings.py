"""Pings with the documents' own lines and with large bodies, against the real server."""

import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

pytestmark = pytest.mark.once  # Both databases see pings in tests/ingest/test_pings.py.
PAGE = Path(__file__).parents[2] / "docs" / "pings.md"
PART = b"x" * 65_536
MEGABYTE = 2**20
MAY_GROW = 16 * MEGABYTE


def recipe(server: LiveServer, team: LiveTeam, holding: str, job: str = "true") -> str:
    """The page's first block of code with these words, for this team and job."""
    blocks = re.findall(r"(?:^    .+\n)+", PAGE.read_text(), re.MULTILINE)
    code: str = next(block for block in blocks if holding in block)
    code = code.replace("https://flowpulse.example.org", server.url)
    code = code.replace("fp_your_key", team.key).replace("nightly-backup", team.slug)
    return code.replace("/path/to/job", job)


def run(script: str, *shell: str) -> "subprocess.CompletedProcess[bytes]":
    command = [*(shell or ("sh",)), "-c", script]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


def newest_runs(server: LiveServer, team: LiveTeam, count: int) -> list[dict[str, Any]]:
    """The runs, the newest first, once there are so many."""
    path = f"/api/v1/runs?limit=50&workflow={team.slug}"

    def find() -> list[dict[str, Any]] | None:
        found = server.get(path, headers=team.headers).json()["data"]
        return found if len(found) >= count else None

    return list(wait_for(find, 20))


@pytest.mark.parametrize("shell", [("sh",), ("bash", "-euo", "pipefail")], ids=["sh", "strict"])
@pytest.mark.parametrize("status", [0, 23])
def test_the_recipe_tells_the_end_of_any_output_and_keeps_the_status(
    live_server: LiveServer, own_team: LiveTeam, tmp_path: Path, status: int, shell: tuple[str, ...]
) -> None:
    said = "".join(f"{number} überträgt\n" for number in range(20_000)) + "no space left"
    (tmp_path / "said").write_text(said)
    job = tmp_path / "job"
    job.write_text(f"#!/bin/sh\ncat '{tmp_path}/said'\nexit {status}\n")
    job.chmod(0o755)
    done = run(recipe(live_server, own_team, "out=$(", str(job)), *shell)
    assert (done.returncode, done.stderr) == (status, b"")
    (told,) = newest_runs(live_server, own_team, 1)
    assert told["outcome"] == ("failure" if status else "success")
    message = told["error_message"] if status else told["metadata"]["message"]
    assert len(message) > 8_000 and said.endswith(message)


def test_the_recipe_keeps_the_status_while_nobody_answers(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    code = recipe(live_server, live_team, "out=$(", "false").replace("--retry 3", "")
    done = run(code.replace(live_server.url, "http://127.0.0.1:1"), "bash", "-euo", "pipefail")
    assert done.returncode == 1


def test_each_line_of_the_recipes_has_a_key_of_its_own_that_a_retry_keeps(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    lines = recipe(live_server, own_team, "curl"), recipe(live_server, own_team, "out=$(")
    keys = [re.search(r"-H (\"Idempotency-Key: .+?\")(?: \\)?\n", line) for line in lines]
    assert all(keys)
    for line in (*lines, *lines):
        assert run(line).returncode == 0
    assert len(newest_runs(live_server, own_team, 4)) == 4
    for key in keys:
        assert key is not None
        shown = run(f"for i in 1 2; do echo {key[1]}; done").stdout.split(b"\n")
        assert len(shown[0]) > 40 and shown[0] != shown[1]


def test_a_start_that_is_sent_twice_with_its_key_leaves_no_run_open(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    for signal in ("start", "start", "fail", "fail"):
        headers = {**own_team.headers, "Idempotency-Key": f"4711-{signal}"}
        answer = live_server.post(f"/api/v1/ping/{own_team.slug}/{signal}", headers=headers)
        assert answer.status_code == 202
    wait_for(lambda: newest_runs(live_server, own_team, 1)[0]["outcome"] != "running", 20)
    (told,) = newest_runs(live_server, own_team, 1)
    assert (told["outcome"], told["event_count"]) == ("failure", 2)


def in_parts(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes * MEGABYTE // len(PART)):
        yield PART


@pytest.mark.parametrize("megabytes", [2, 20, 100])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_no_body_is_too_large_for_a_ping(
    live_server: LiveServer, own_team: LiveTeam, tmp_path: Path, megabytes: int, is_chunked: bool
) -> None:
    address = f"{live_server.url}/api/v1/ping/{own_team.slug}/2"
    file = tmp_path / "output"
    file.write_bytes(b"".join(in_parts(megabytes)))
    before = memory(live_server)
    curl = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30"]
    if is_chunked:
        curl += ["-H", "Transfer-Encoding: chunked"]
    with file.open("rb") as source:
        upload = ["-X", "POST", "-T", "-" if is_chunked else str(file)]
        done = subprocess.run(
            [*curl, "-H", f"X-API-Key: {own_team.key}", *upload, address],
            stdin=source,
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"202", b"")
    data = in_parts(megabytes) if is_chunked else file.read_bytes()
    answer = requests.post(address, data=data, headers=own_team.headers, timeout=30)
    assert answer.status_code == 202
    assert max(map(int.__sub__, memory(live_server), before)) < MAY_GROW
    for told in newest_runs(live_server, own_team, 2):
        assert told["outcome"] == "failure" and told["error_message"] == "x" * 10_240


def memory(server: LiveServer) -> list[int]:
    """What each web process holds, in bytes."""
    return [psutil.Process(pid).memory_info().rss for pid in sorted(server.web_pids())]


def test_a_connection_goes_on_behind_a_large_ping(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    with requests.Session() as session:
        session.headers.update(own_team.headers)
        for rest in ("/2", "/0"):
            address = f"{live_server.url}/api/v1/ping/{own_team.slug}{rest}"
            answer = session.post(address, data=PART * 32, timeout=30)
            assert answer.status_code == 202 and answer.headers["Connection"] == "keep-alive"


@pytest.fixture(scope="module")
def impatient(share_server: Callable[..., LiveServer]) -> LiveServer:
    return share_server(WEB_CONCURRENCY="1", FLOWPULSE_BODY_TIMEOUT_SECONDS="1")


def send_part(
    server: LiveServer, team: LiveTeam, size: int, *, is_chunked: bool, breaks_off: bool, key: str
) -> str:
    """The answer to so many bytes of a body of 60,000, of which the rest never comes."""
    length = "Transfer-Encoding: chunked" if is_chunked else "Content-Length: 60000"
    start = b"ea60\r\n" if is_chunked else b""
    head = (
        f"POST /api/v1/ping/{team.slug}/2 HTTP/1.1\r\nHost: localhost\r\n{length}\r\n"
        f"X-API-Key: {team.key}\r\nIdempotency-Key: {key}\r\n\r\n"
    )
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(head.encode() + start + b"x" * size)
        if breaks_off:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode()


@pytest.mark.parametrize("breaks_off", [False, True], ids=["stalls", "breaks off"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_body_that_ends_too_soon_is_a_run_once_its_message_is_there(
    impatient: LiveServer, is_chunked: bool, breaks_off: bool
) -> None:
    team = make_live_team(impatient)
    how: dict[str, Any] = {"is_chunked": is_chunked, "breaks_off": breaks_off}
    for size, statuses in ((10_239, "400 408"), (10_240, "202"), (40_000, "202")):
        answer = send_part(impatient, team, size, key=f"part-{size}", **how)
        assert answer.split(" ", 2)[1] in statuses.split()
        assert "\r\nconnection: close\r\n" in answer.lower()
    # Whoever heard no answer sends it again.
    headers = {**team.headers, "Idempotency-Key": "part-40000"}
    again = impatient.post(f"/api/v1/ping/{team.slug}/2", data=b"x" * 60_000, headers=headers)
    assert again.status_code == 202 and again.headers["Idempotent-Replayed"] == "true"
    told = newest_runs(impatient, team, 2)
    assert [each["error_message"] for each in told] == ["x" * 10_240] * 2

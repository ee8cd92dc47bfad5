"""Starting, stopping and being killed: the real programs, as `make run` has them."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.ports import free_port
from tests.server import (
    ROOT,
    LiveServer,
    SupervisedServer,
    answers,
    test_environment,
    wait_for,
)
from tests.teams import LiveTeam, make_live_team

IDLE_SECONDS = 20
"""What an idle connection has (gunicorn.conf.py), unless the server stops."""
ONE = {"worker": False, "WEB_CONCURRENCY": "1"}

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(share_server: Callable[..., LiveServer]) -> LiveServer:
    return share_server(**ONE)


@pytest.fixture(scope="module")
def team(server: LiveServer) -> LiveTeam:
    return make_live_team(server)


def connect(server: LiveServer, content: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(content)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


KEY = "fp_0123456789abcdefghijABCDEFGHIJ0123456789"
POST = "POST /api/v1/ingest/run-success HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (f"{POST}X-Long: {'a' * 20_000}\r\n\r\n", 431, "headers_too_large"),
        (POST + "X-M: 1\r\n" * 101 + "\r\n", 431, "headers_too_large"),
        (f"POST /api/v1/?{'a' * 20_000} HTTP/1.1\r\nHost: x\r\n\r\n", 414, "address_too_long"),
        (f"{POST}Content-Length: many\r\n\r\n", 400, "bad_request"),
        (f"{POST}X-API-Key {KEY}: 1\r\n\r\n", 400, "bad_request"),
        (f"{KEY} /api/v1/ingest/run-success HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (f"{POST}Transfer-Encoding: {KEY}\r\n\r\n", 400, "bad_request"),
        (f"GET / HTTP/9.9 {KEY}\r\n\r\n", 400, "bad_request"),
    ],
)
def test_what_is_no_http_gets_an_answer_of_the_table_too(
    server: LiveServer, head: str, status: int, code: str
) -> None:
    head_sent, _, body = read_all(connect(server, head.encode())).partition(b"\r\n\r\n")
    document = json.loads(body)
    assert head_sent.split()[1] == str(status).encode()
    assert b"Content-Type: application/problem+json" in head_sent
    assert (document["code"], document["status"]) == (code, status)
    assert document["inspect"].startswith(f"http://127.0.0.1:{server.port}/events/")
    assert KEY.encode() not in head_sent + body


@pytest.mark.parametrize(
    "body", ["zz\r\nabc\r\n", "3\r\nabcX\r\n", "3;\x01\r\nabc\r\n0\r\n\r\n", "ff\r\nabc"]
)
@pytest.mark.parametrize("with_key", [True, False])
def test_broken_chunks_are_explained_and_logged(
    server: LiveServer, team: LiveTeam, body: str, with_key: bool
) -> None:
    credential = f"X-API-Key: {team.headers['X-API-Key']}\r\n" if with_key else ""
    connection = connect(
        server, f"{POST}{credential}Transfer-Encoding: chunked\r\n\r\n{body}".encode()
    )
    connection.shutdown(socket.SHUT_WR)
    _, _, answer = read_all(connection).partition(b"\r\n\r\n")
    document = json.loads(answer)
    assert document["code"] == ("bad_request" if with_key else "missing_api_key")
    assert document["event_id"]


def test_no_mangled_chunks_yield_a_500(server: LiveServer, team: LiveTeam) -> None:
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    body = json.dumps(fields).encode()
    whole = b"%x\r\n%s\r\n" % (20, body[:20]) + b"%x;a=b\r\n%s\r\n" % (len(body) - 20, body[20:])
    whole += b"0\r\nX-Trailer: 1\r\n\r\n"
    head = f"{POST}X-API-Key: {team.key}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    first = random.SystemRandom().randrange(2**62)
    seen: Counter[int] = Counter()
    for seed in range(first, first + 150):
        chance = random.Random(seed)
        mangled = bytearray(whole)
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(mangled))
            mangled[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        connection = connect(server, head + mangled)
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
        status = int(answer.split()[1])
        assert status in {202, 400, 404, 408, 413}, f"seed {seed}: {answer!r}"
        seen[status] += 1
    assert seen[202] and seen[400]


def test_behind_a_body_that_was_given_up_no_request_is_read(server: LiveServer) -> None:
    hidden = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    connection = connect(server, f"{POST}Transfer-Encoding: chunked\r\n\r\n4b\r\n".encode())
    time.sleep(0.5)  # The answer 401 is out; what comes now still belongs to the body.
    with suppress(OSError):
        connection.sendall(hidden + b"x" * (0x4B - len(hidden)) + b"\r\n0\r\n\r\n")
    assert read_all(connection).count(b"HTTP/1.1 ") == 1


def test_no_length_is_too_long_to_be_logged(server: LiveServer) -> None:
    request = f"{POST}Content-Length: {'9' * 23}\r\n\r\n".encode()
    for connection in [connect(server, request) for _ in range(2)]:
        answer = read_all(connection)
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["event_id"]


def test_a_header_of_4_kb_reaches_the_application(server: LiveServer) -> None:
    answer = server.get("/healthz", headers={"X-Long": "a" * 4096})
    assert answer.status_code < 431


def test_a_sender_cannot_say_that_it_came_by_another_way(server: LiveServer) -> None:
    """Only FLOWPULSE_TRUSTED_PROXIES makes these headers count, and it is 0."""
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1", "Script_Name": "/x"}
    plain, forwarded = server.get("/healthz"), server.get("/healthz", headers=headers)
    assert (plain.status_code, plain.url) == (forwarded.status_code, forwarded.url)


def test_no_control_socket_is_opened(server: LiveServer) -> None:
    master = psutil.Process(server.processes["web"].pid)
    assert [item.laddr for item in master.net_connections("unix") if item.laddr] == []


def knock(server: LiveServer, seen: Counter[str], stop: threading.Event) -> None:
    """One request after another, each on a new connection."""
    while not stop.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            connection.request("GET", "/healthz")
            seen[str(connection.getresponse().status < 500)] += 1
        except ConnectionRefusedError:
            time.sleep(0.02)
        except (OSError, http.client.HTTPException) as error:
            seen[type(error).__name__] += 1
        finally:
            connection.close()


@contextmanager
def load(server: LiveServer) -> Iterator[None]:
    """Eight who knock all the time, none of whom is cut off."""
    seen: Counter[str] = Counter()
    stop = threading.Event()
    threads = [threading.Thread(target=knock, args=(server, seen, stop)) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: seen["True"] > 50, seconds=30)
    yield
    stop.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {"True"}, seen


def test_a_reload_or_stop_under_load_cuts_nobody_off(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(**ONE)
    with load(server):
        before = set(server.web_pids())
        server.reload_web()
        wait_for(lambda: not before & set(server.web_pids()), seconds=60)
    with load(server):
        server.stop()


def has_only_new(server: LiveServer, before: set[int]) -> bool:
    now = server.web_pids()
    return len(now) == 1 and not before & set(now)


def test_a_reload_starts_the_program_anew_in_the_same_process_and_leaves_nothing_behind(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(**ONE)
    master = psutil.Process(server.processes["web"].pid)
    began = master.create_time()
    for _ in range(2):
        before = set(server.web_pids())
        server.reload_web()
        server.reload_web()  # Somebody is impatient.
        wait_for(partial(has_only_new, server, before), seconds=60)
        wait_for(lambda: server.log().rstrip().endswith("web WARNING Reloaded."), seconds=10)
    assert (master.is_running(), master.create_time()) == (True, began)
    assert answers(server.url)


def test_a_reload_that_could_not_start_is_told_and_changes_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(**ONE)
    before = server.web_pids()
    (server.data_dir / "wsgi.py").write_text('raise RuntimeError("half of it is missing")\n')
    server.reload_web()
    told = "Not reloaded, the old program goes on: RuntimeError: half of it is missing"
    wait_for(lambda: told in server.log(), seconds=60)
    assert "Reloaded." not in server.log()
    assert server.web_pids() == before
    assert answers(server.url)


def test_a_line_of_the_env_file_that_cannot_be_read_is_told_once_with_the_files_name(
    make_server: Callable[..., LiveServer], tmp_path: Path
) -> None:
    file = tmp_path / "server-0" / ".env"
    file.parent.mkdir()
    file.write_text("FLOWPULSE_RATE_LIMIT=5\nwhat is this?\n")
    log = make_server(**ONE).log()
    assert log.count(f"{file}, line 2: ") == 1
    assert log.count("parse") == 0


def test_a_reload_with_a_database_that_is_not_there_is_told_and_changes_nothing(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(**ONE)
    before = server.web_pids()
    url = f"postgresql://flowpulse:s3cret@127.0.0.1:{free_port()}/flowpulse"
    (server.data_dir / "wsgi.py").write_text(
        f"import os\nos.environ['FLOWPULSE_DATABASE_URL'] = {url!r}\n"
        "from app import create_app\napp = create_app()\n"
    )
    server.reload_web()
    told = "Not reloaded, the old program goes on: The database can't be used: connection failed"
    wait_for(lambda: told in server.log(), seconds=60)
    assert "s3cret" not in server.log()
    assert server.web_pids() == before
    assert answers(server.url)


def test_the_master_opens_no_database(make_server: Callable[..., LiveServer]) -> None:
    """A connection must not be shared between processes, as all that it loads is."""
    server = make_server(**ONE)
    master = psutil.Process(server.processes["web"].pid)
    assert not [file.path for file in master.open_files() if ".db" in file.path]
    assert not [each for each in master.net_connections() if each.status == psutil.CONN_ESTABLISHED]


def test_an_idle_connection_does_not_hold_up_the_stop(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(**ONE)
    connection = connect(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(1)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < IDLE_SECONDS / 2
    connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux tells children of the death")
def test_a_killed_supervisor_leaves_nothing_running(make_server: Callable[..., LiveServer]) -> None:
    server = make_server(SupervisedServer, WEB_CONCURRENCY="1")
    wait_for(server.web_pids)
    family = psutil.Process(server.processes["supervisord"].pid).children(recursive=True)
    assert len(family) == 3
    server.processes.pop("supervisord").kill()
    try:
        wait_for(lambda: not answers(server.url), seconds=20)
        wait_for(lambda: not any(process.is_running() for process in family), seconds=20)
    finally:
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.mark.needs("pkill")
def test_the_readmes_commands_restart_the_web_server_and_the_worker(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(SupervisedServer, WEB_CONCURRENCY="1")
    assert isinstance(server, SupervisedServer)
    told = re.findall(r"^pkill .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for_web, for_worker = told
    master, before = server.child("gunicorn"), set(server.web_pids())
    worker = wait_for(partial(server.child, "worker"), seconds=30)
    subprocess.run(["sh", "-c", for_web], cwd=server.data_dir, check=True)
    wait_for(partial(has_only_new, server, before), seconds=60)
    assert (server.child("gunicorn"), server.child("worker")) == (master, worker)
    subprocess.run(["sh", "-c", for_worker], cwd=server.data_dir, check=True)
    wait_for(lambda: server.child("worker") not in {None, worker}, seconds=60)
    assert server.child("gunicorn") == master


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_make_run_answers_and_stops_quietly(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=test_environment(tmp_path / "data", "", port, WEB_CONCURRENCY="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), seconds=60)
        os.killpg(process.pid, number)  # As a terminal does: to make and all it started.
        output, _ = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert f"http://127.0.0.1:{port}" in output and "/setup?token=" in output
    assert "Traceback" not in output and "Error" not in output
    assert not answers(f"http://127.0.0.1:{port}")

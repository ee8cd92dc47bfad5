"""An answer of 202 follows the disk: seen by strace, and by what is there after kill -9."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from app.extensions import db
from app.ingest.stores import open_store
from tests.programs import MissingError, find
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

SYNCING = re.compile(r"f(?:data)?sync\(\d+<[^>]*\.db-wal>")
SYNC_RESUMED = re.compile(r"<\.\.\. f(?:data)?sync resumed>")
RECEIVED = re.compile(r"recv\w*\((\d+)<[^>]*>, \"POST ")
RECEIVING = re.compile(r"recv\w*\((\d+)<[^>]*>, ? *<unfinished")
RECEIVE_RESUMED = re.compile(r"<\.\.\. recv\w* resumed>\"POST ")
ANSWERED = re.compile(r"(?:send|write)\w*\((\d+)<[^>]*>, .*HTTP/1\.1 202")


class Answer(NamedTuple):
    """A 202, and whether the log was synced between its request's coming and its going out."""

    connection: str
    is_synced: bool


def test_a_sync_to_disk_comes_before_each_202(
    make_server: Callable[..., LiveServer], database_kind: str, tmp_path: Path
) -> None:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL syncs in its own process; synchronous_commit=on is tested below")
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    trace = tmp_path / "trace"
    strace = attach(server.web_pids()[0], trace)
    try:
        for number in range(10):
            assert post(server, team, number) == 202
            assert post(server, team, number, **{"Idempotency-Key": f"once-{number}"}) == 202
        with ThreadPoolExecutor(16) as senders:  # A group shares its sync.
            assert {*senders.map(lambda number: post(server, team, number), range(64))} == {202}
    finally:
        strace.terminate()
        strace.wait(10)
    answers = list(read_trace(trace.read_text().splitlines()))
    assert len(answers) == 84
    assert all(answer.is_synced for answer in answers), "a 202 went out without a sync before it"


def read_trace(lines: list[str]) -> Iterator[Answer]:
    """Each 202 on its connection. Only a sync of the database's log counts that began after the
    request had come and ended, without an error, before the answer went out."""
    began: dict[str, int] = {}
    receiving: dict[str, str] = {}
    received: dict[str, int] = {}
    newest_sync = -1  # When that sync began which, of all that have ended, began last.
    for at, line in enumerate(lines):
        thread = line.split()[0]
        if SYNCING.search(line):
            began[thread] = at
        if SYNCING.search(line) or (SYNC_RESUMED.search(line) and thread in began):
            if line.endswith("= 0"):
                newest_sync = max(newest_sync, began.pop(thread))
        elif post := RECEIVED.search(line):
            received[post[1]] = at
        elif pending := RECEIVING.search(line):
            receiving[thread] = pending[1]
        elif RECEIVE_RESUMED.search(line):
            received[receiving[thread]] = at
        elif answer := ANSWERED.search(line):
            yield Answer(answer[1], newest_sync > received[answer[1]])


def test_a_trace_counts_only_syncs_of_the_log_within_the_request() -> None:
    post = 'recvfrom(5<socket:[1]>, "POST /api"..., 8192, 0, NULL, NULL) = 400'
    answer = 'sendto(5<socket:[1]>, "HTTP/1.1 202 ACCEPTED"..., 400, 0, NULL, 0) = 400'
    sync, resumed = "fdatasync(9</data/flowpulse.db-wal>", "<... fdatasync resumed>)"
    starts = f"{sync} <unfinished ...>"
    halves = [
        "6 recvfrom(5<socket:[1]>,  <unfinished ...>",
        '6 <... recvfrom resumed>"POST /api"..., 8192, 0, NULL, NULL) = 400',
    ]
    for lines, is_synced in (
        ([f"6 {post}", f"7 {sync}) = 0", f"6 {answer}"], True),
        ([f"6 {post}", f"7 {starts}", f"7 {resumed} = 0", f"6 {answer}"], True),
        ([*halves, f"7 {sync}) = 0", f"6 {answer}"], True),
        ([f"6 {post}", f"7 {starts}", f"6 {answer}"], False),
        ([f"7 {starts}", f"6 {post}", f"7 {resumed} = 0", f"6 {answer}"], False),
        ([f"6 {post}", f"7 {sync}) = -1 EIO (Input/output error)", f"6 {answer}"], False),
        ([f"6 {post}", "7 fdatasync(9</data/flowpulse.db>) = 0", f"6 {answer}"], False),
    ):
        assert list(read_trace(lines)) == [Answer("5", is_synced)]


def attach(pid: int, trace: Path) -> subprocess.Popen[bytes]:
    """strace on a process and all its threads; returns once it is attached. Raises MissingError."""
    command = [str(find("strace")), "-f", "-y", "-tt", "-s", "40", "-o", str(trace), "-p", str(pid)]
    calls = ["-e", "trace=fsync,fdatasync,recvfrom,recvmsg,write,writev,sendto,sendmsg"]
    strace = subprocess.Popen([*command, *calls], stderr=subprocess.PIPE)
    assert strace.stderr is not None
    if b"attached" not in strace.stderr.readline():
        raise MissingError("That a sync comes before each 202. strace may not attach to a process.")
    time.sleep(0.3)
    return strace


def post(server: LiveServer, team: LiveTeam, number: int, **headers: str) -> int:
    fields = {
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "external_execution_id": str(number),
    }
    path = "/api/v1/ingest/run-success"
    return server.post(path, json=fields, headers={**team.headers, **headers}).status_code


def test_every_answered_event_is_there_after_kill_9_of_everything(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    for number in range(30):
        assert post(server, team, number) == 202
    server.kill_web()
    server.restart_web()
    answer = server.get("/api/v1/events", params={"limit": 200}, headers=team.headers)
    assert len(answer.json()["data"]) == 30


def test_postgresql_is_asked_to_sync_each_commit(app: Flask) -> None:
    """The recorder's connection insists, whatever the server's or the user's default is."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite is traced above")
    store = open_store(db.engine.url)
    assert store.fetch_one("SHOW synchronous_commit") == ("on",)
    store.close()

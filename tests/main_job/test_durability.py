"""An answer of 202 follows the disk: seen by strace, and by what is there after kill -9."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from flask import Flask

from app.extensions import db
from app.ingest.stores import open_store
from tests.browser import is_required
from tests.server import LiveServer
from tests.teams import LiveTeam, make_live_team

SYNCING = re.compile(r"f(?:data)?sync\(\d+<[^>]*\.db-wal>")
SYNC_RESUMED = re.compile(r"<\.\.\. f(?:data)?sync resumed>")
ANSWERED = re.compile(r"(?:send|write)\w*\(.*HTTP/1\.1 202")


def test_a_sync_to_disk_comes_before_each_202(
    make_server: Callable[..., LiveServer], database_kind: str, tmp_path: Path
) -> None:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL syncs in its own process; synchronous_commit=on is tested below")
    if not shutil.which("strace"):
        without_strace("strace is not installed")
    server = make_server(worker=False, WEB_CONCURRENCY="1")
    team = make_live_team(server)
    trace = tmp_path / "trace"
    strace = attach(server.web_pids()[0], trace)
    try:
        for number in range(10):
            assert post(server, team, number) == 202
    finally:
        strace.terminate()
        strace.wait(10)
    seen = list(read_trace(trace.read_text().splitlines()))
    assert seen.count("202") == 10
    for before, answer in zip(["202", *seen], seen, strict=False):
        assert (before, answer) != ("202", "202"), "a 202 went out without a sync before it"


def read_trace(lines: list[str]) -> Iterator[str]:
    """`sync` for each sync of the database's log that has ended, `202` for each such answer."""
    under_way: set[str] = set()
    for line in lines:
        thread = line.split()[0]
        if SYNCING.search(line):
            if "<unfinished" in line:
                under_way.add(thread)
            elif line.endswith("= 0"):
                yield "sync"
        elif SYNC_RESUMED.search(line) and thread in under_way:
            under_way.remove(thread)
            if line.endswith("= 0"):
                yield "sync"
        elif ANSWERED.search(line):
            yield "202"


def test_a_trace_counts_only_syncs_of_the_log_that_have_ended() -> None:
    lines = [
        "7 10:00 fdatasync(9</data/flowpulse.db>) = 0",
        "7 10:00 fdatasync(9</data/flowpulse.db-wal> <unfinished ...>",
        '6 10:00 sendto(5<socket:[1]>, "HTTP/1.1 202 ACCEPTED"..., 400, 0, NULL, 0) = 400',
        "7 10:00 <... fdatasync resumed>) = 0",
        "7 10:00 fdatasync(9</data/flowpulse.db-wal>) = -1 EIO (Input/output error)",
    ]
    assert list(read_trace(lines)) == ["202", "sync"]


def without_strace(reason: str) -> NoReturn:
    """In CI what can't be shown is a failure, not a skip."""
    if is_required():
        pytest.fail(reason)
    pytest.skip(reason)


def attach(pid: int, trace: Path) -> subprocess.Popen[bytes]:
    """strace on a process and all its threads; returns once it is attached."""
    command = ["strace", "-f", "-y", "-tt", "-s", "40", "-o", str(trace), "-p", str(pid)]
    calls = ["-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg"]
    strace = subprocess.Popen([*command, *calls], stderr=subprocess.PIPE)
    assert strace.stderr is not None
    if b"attached" not in strace.stderr.readline():
        without_strace("strace may not attach to a process here")
    time.sleep(0.3)
    return strace


def post(server: LiveServer, team: LiveTeam, number: int) -> int:
    fields = {
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "external_execution_id": str(number),
    }
    path = "/api/v1/ingest/run-success"
    return server.post(path, json=fields, headers=team.headers).status_code


def test_every_answered_event_is_there_after_kill_9_of_everything(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False)
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

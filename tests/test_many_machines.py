"""What holds over all processes of all machines: one set-up, and one rate for a key."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.ingest.limits import SHARED_FROM
from app.models import Instance, Membership, User, Workspace
from tests.factories import PASSWORD
from tests.server import test_environment

PROCESSES = 8
TOGETHER = """
import json, os, time
from app import create_app
from app.ingest.limits import Limits
from app.ingest.stores import open_store
from app.extensions import db
from app.problems import ProblemError
from app.workspaces.people import AlreadySetUpError, set_up

def become_owner(app, number):
    try:
        set_up(f"racer{number}@example.org", PASSWORD, "Ours")
        return "owner"
    except AlreadySetUpError:
        return "too_late"

def send(app, number):
    limits = Limits(open_store(db.engine.url), app.config)
    passed, began = 0, time.time()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            limits.check_key(1)
            passed += 1
        except ProblemError:
            pass
        if attempt % AT_ONCE == 0:
            limits.sync()
    return [passed, began, time.time()]

app = create_app()  # It opens no connection before it is used.
ready, told = os.pipe(), os.pipe()
gate = os.pipe()
for number in range(PROCESSES):
    if os.fork() == 0:
        os.close(gate[1])
        with app.app_context():
            os.write(ready[1], b"!")
            os.read(gate[0], 1)
            os.write(told[1], (json.dumps(WORK(app, number)) + "\\n").encode())
        os._exit(0)
for _ in range(PROCESSES):
    os.read(ready[0], 1)
os.close(gate[1])
for _ in range(PROCESSES):
    os.wait()
os.close(told[1])
print("[" + ",".join(os.read(told[0], 65536).decode().splitlines()) + "]")
"""
"""Processes that have loaded the application, and do the same once all of them are there."""


def do_together(
    work: str, database_url: str, folder: Path, concurrency: int = 1, **values: object
) -> list[Any]:
    """What the function of the script returned in each process."""
    values |= {"PROCESSES": PROCESSES, "PASSWORD": PASSWORD}
    head = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    done = subprocess.run(
        [sys.executable, "-c", head + TOGETHER.replace("WORK", work)],
        env=test_environment(
            folder,
            database_url,
            8000,
            FLOWPULSE_RATE_LIMIT="5",
            WEB_CONCURRENCY=str(concurrency),
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return list(json.loads(done.stdout))


def test_of_eight_processes_that_set_up_at_once_one_makes_the_owner(
    app: Flask, database_url: str, tmp_path: Path
) -> None:
    outcomes = do_together("become_owner", database_url, tmp_path)
    assert sorted(outcomes) == ["owner", *["too_late"] * (PROCESSES - 1)]
    for kind in (Instance, User, Workspace, Membership):
        assert db.session.scalar(select(func.count()).select_from(kind)) == 1


@pytest.mark.parametrize("machines", [1, PROCESSES])
def test_eight_processes_let_a_key_through_at_one_rate(
    app: Flask, database_url: str, tmp_path: Path, machines: int
) -> None:
    """Each machine may let through more what it has not yet told: a part of the burst, and what
    comes until it looks again, which is SYNC_SECONDS in a server, and one attempt here."""
    concurrency = PROCESSES // machines
    outcomes = do_together("send", database_url, tmp_path, concurrency, ATTEMPTS=100, AT_ONCE=1)
    rate, burst = 5, 50
    seconds = max(end for _, _, end in outcomes) - min(began for _, began, _ in outcomes)
    passed = sum(passed for passed, _, _ in outcomes)
    untold = machines * burst * SHARED_FROM + PROCESSES
    forgotten = 1 + PROCESSES / 100
    assert burst <= passed <= burst + rate * seconds * forgotten + untold
    assert untold < PROCESSES * burst / 4

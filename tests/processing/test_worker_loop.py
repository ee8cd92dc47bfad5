"""The worker's loop: what one part can't cope with stays its own, and a stop finishes the batch."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.models import Event, Run
from app.processing.worker import OUTAGE_SECONDS, Worker
from tests.factories import make_team, report
from tests.server import test_environment

PARTS = (
    "process_batch",
    "judge_schedules",
    "mark_stuck_runs",
    "tick",
    "send_weekly_digests",
    "sweep_on",
)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_holds_up_none_of_the_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    done: list[str] = []

    def make(name: str) -> Callable[..., int]:
        def do(*arguments: Any) -> int:
            done.append(name)
            if name == part:
                raise ValueError("a bad row")
            return 1

        do.__name__ = name
        return do

    for name in PARTS:
        monkeypatch.setattr(f"app.processing.worker.{name}", make(name))
    pause = Worker().work()
    assert done == list(PARTS)
    assert pause == (OUTAGE_SECONDS if part == "process_batch" else pytest.approx(0, abs=0.1))
    assert f"{part} failed" in caplog.text and "a bad row" in caplog.text


def test_an_outage_ends_the_round_and_not_the_worker(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*arguments: Any) -> int:
        raise OperationalError("SELECT 1", {}, Exception("the server is gone"))

    monkeypatch.setattr("app.processing.worker.judge_schedules", break_off)
    assert Worker().work() == OUTAGE_SECONDS


STOPPED_IN_A_BATCH = """
import os, signal
from flask.cli import main
from app.processing import batch, pace

def told_to_stop(session, reports, record=batch.record_runs):
    recorded = record(session, reports)
    os.kill(os.getpid(), signal.SIGTERM)
    return recorded

batch.record_runs = told_to_stop
pace.SHARES = [each._replace(sizes=dict.fromkeys(each.sizes, 20)) for each in pace.SHARES]
main()
"""


def test_sigterm_finishes_the_batch_at_hand_and_begins_no_other(
    client: FlaskClient, database_url: str, tmp_path: Path
) -> None:
    team = make_team()
    for _ in range(30):
        assert report(client, team).status_code == 202
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_IN_A_BATCH, "--app", "wsgi", "worker"],
        env=test_environment(tmp_path, database_url, 8000),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    db.session.rollback()
    states = db.session.execute(select(Event.state, func.count()).group_by(Event.state))
    assert {row[0]: row[1] for row in states} == {"processed": 20, "accepted": 10}
    assert db.session.scalar(select(func.count()).select_from(Run)) == 20

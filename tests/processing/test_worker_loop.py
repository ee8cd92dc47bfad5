"""The worker's loop: what one part can't cope with stays its own, and a stop finishes the batch."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.processing.worker import OUTAGE_SECONDS, Worker

PARTS = (
    "process_batch",
    "judge_schedules",
    "mark_stuck_runs",
    "tick",
    "send_weekly_digests",
    "prune",
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
    assert pause == (OUTAGE_SECONDS if part == "process_batch" else 0)
    assert f"{part} failed" in caplog.text and "a bad row" in caplog.text


def test_an_outage_ends_the_round_and_not_the_worker(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off() -> int:
        raise OperationalError("SELECT 1", {}, Exception("the server is gone"))

    monkeypatch.setattr("app.processing.worker.judge_schedules", break_off)
    assert Worker().work() == OUTAGE_SECONDS

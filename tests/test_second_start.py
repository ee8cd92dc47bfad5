"""`make run` on a machine that has run it before."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.drills.marks import SECOND_START_SECONDS
from tests.drills.record import record
from tests.ports import free_port
from tests.server import ROOT, answers, test_environment, wait_for


def start_and_stop(data_dir: Path, port: int) -> float:
    """Seconds from `make run` to the first answer."""
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=test_environment(data_dir, "", port),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), seconds=60)
        seconds = time.monotonic() - began
        os.killpg(process.pid, signal.SIGINT)
        process.wait(20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return seconds


@pytest.mark.drill("second_start")
def test_the_second_start_answers_within_five_seconds(tmp_path: Path) -> None:
    port = free_port()
    start_and_stop(tmp_path / "data", port)
    quickest = min(start_and_stop(tmp_path / "data", port) for _ in range(3))
    record("second_start", "sqlite", seconds=round(quickest, 1))
    assert quickest < SECOND_START_SECONDS

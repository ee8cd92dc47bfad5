"""`python -m bench.watched_worker`: the worker, which can be halted, or held to a share."""

import argparse
import time
from pathlib import Path

from app import create_app
from app.log_lines import log_to_stderr
from app.processing.pace import Pace
from app.processing.worker import Worker

HALT, HALTED = "halt", "halted"
"""Files: while the first is there, the worker begins no batch, and says so by the second."""
LOOK_SECONDS = 0.02


class WatchedPace(Pace):
    """Its patience doesn't wear out while the worker is halted; or it keeps to one share."""

    def __init__(self, kept_step: int | None) -> None:
        super().__init__()
        self._kept_step = kept_step

    @property
    def step(self) -> int:
        return super().step if self._kept_step is None else self._kept_step

    def forget(self, seconds: float) -> None:
        if self._behind_since is not None:
            self._behind_since += seconds


class WatchedWorker(Worker):
    """Tells through files; `folder` is where they are."""

    def __init__(self, folder: Path, kept_step: int | None) -> None:
        self._own_pace = WatchedPace(kept_step)
        super().__init__(self._own_pace)
        self._folder = folder

    def work(self) -> float:
        if (self._folder / HALT).exists():
            self._stand_still()
        return super().work()

    def _stand_still(self) -> None:
        halted_at = time.monotonic()
        (self._folder / HALTED).touch()
        while (self._folder / HALT).exists() and not self._stopping.wait(LOOK_SECONDS):
            pass
        (self._folder / HALTED).unlink()
        self._own_pace.forget(time.monotonic() - halted_at)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.watched_worker", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("step", type=int, nargs="?", help="the share that it keeps to, from 0")
    options = parser.parse_args()
    log_to_stderr("worker")
    with create_app().app_context():
        WatchedWorker(options.folder, options.step).run()


if __name__ == "__main__":
    main()

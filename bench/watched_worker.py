"""`python -m bench.watched_worker`: the worker, which can be halted, with a patience of its own."""

import argparse
import time
from pathlib import Path

from app import create_app
from app.log_lines import log_to_stderr
from app.processing.pace import Pace
from app.processing.worker import Worker

HALT, HALTED, STEP = "halt", "halted", "step"
"""Files: while the first is there, the worker begins no batch, and says so by the second; the third
says which of its shares it took last."""
LOOK_SECONDS = 0.02


class HaltedPace(Pace):
    """Its patience doesn't wear out while the worker is halted."""

    def forget(self, seconds: float) -> None:
        if self._behind_since is not None:
            self._behind_since += seconds


class WatchedWorker(Worker):
    """Tells through files; `folder` is where they are."""

    def __init__(self, folder: Path, patience_seconds: float) -> None:
        self._own_pace = HaltedPace(patience_seconds)
        super().__init__(self._own_pace)
        self._folder = folder

    def work(self) -> float:
        if (self._folder / HALT).exists():
            self._stand_still()
        (self._folder / STEP).write_text(str(self._own_pace.step))
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
    parser.add_argument("patience_seconds", type=float)
    options = parser.parse_args()
    log_to_stderr("worker")
    with create_app().app_context():
        WatchedWorker(options.folder, options.patience_seconds).run()


if __name__ == "__main__":
    main()

"""A reload (HUP) that runs the whole program anew: new code and settings, in the same process."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FORMER_WORKERS = "FLOWPULSE_FORMER_WORKERS"
# They wait until the new program is there to heed them; unheeded, they would end it.
HELD_BACK = {signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD}


class FormerWorker:
    """A process that the program before has started: it is told to stop once others are there."""

    age = 0
    aborted = False

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.tmp = self

    def last_update(self) -> float:
        """When it last showed that it lives, which it no longer tells us."""
        return time.monotonic()

    def close(self) -> None:
        """Nothing of it is open here."""


def start_anew_on_reload(server: Any) -> None:
    """Have gunicorn's reload do so; where this program was itself started so, take over."""
    server.reload = partial(_start_anew, server)
    _take_over(server)


def _start_anew(server: Any) -> None:
    """Run the program from the start, in the same process: new code and settings are loaded.

    Its sockets stay open and its workers go on serving meanwhile. Where it could not start, all
    stays as it is.
    """
    reason = _why_not(server)
    if reason:
        server.log.error("Not reloaded, the old program goes on: %s", reason)
        return
    os.environ["GUNICORN_PID"] = str(os.getpid())
    os.environ["GUNICORN_FD"] = ",".join(str(each.fileno()) for each in server.LISTENERS)
    os.environ[FORMER_WORKERS] = ",".join(map(str, server.WORKERS))
    os.chdir(server.START_CTX["cwd"])
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _why_not(server: Any) -> str | None:
    """What the program would end with, or lack, if it were started now."""
    # The folder that it runs in comes first, then ours, as for gunicorn.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    tried = subprocess.run(  # noqa: S603 (our own module)
        [sys.executable, "-m", "serving.try_out", server.app.app_uri],
        input=server.app.wsgi().config["SQLALCHEMY_DATABASE_URI"],
        cwd=server.START_CTX["cwd"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = tried.stderr.strip().splitlines() or ["it ended without a word"]
    return lines[-1] if tried.returncode else None


def _take_over(server: Any) -> None:
    """Start workers beside those of the program before; gunicorn then tells the oldest to stop."""
    former = os.environ.pop(FORMER_WORKERS, "")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    server.WORKERS.update({int(pid): FormerWorker(int(pid)) for pid in former.split(",") if pid})
    if former:
        for _ in range(server.num_workers):
            server.spawn_worker()
        server.log.warning("Reloaded.")  # No warning, but at the level that is shown.

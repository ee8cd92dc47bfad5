"""The real thing for tests: web under gunicorn and the worker, or both under supervisord."""

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import requests

from app.config import SETTINGS
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
SECRET = "the tests' own secret, known to everybody"
READY_SECONDS = 30
STOP_SECONDS = 35


class ServerError(Exception):
    """A part of the server did not start or stop as it should; the message holds its output."""


def test_environment(data_dir: Path, database_url: str, port: int, **extra: str) -> dict[str, str]:
    """The environment of a server under test: none of the caller's settings, nor its `.env`."""
    settings = {setting.name: setting.default for setting in SETTINGS}
    foreign = ("FLOWPULSE_", "FLASK_", "GUNICORN_", "SUPERVISOR_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        **settings,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FLASK_SKIP_DOTENV": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "FLOWPULSE_DATA_DIR": str(data_dir),
        "FLOWPULSE_DATABASE_URL": database_url,
        "FLOWPULSE_SECRET_KEY": SECRET,
        **extra,
    }


test_environment.__test__ = False  # type: ignore[attr-defined]


class LiveServer:
    """Web (gunicorn with our configuration, two processes) and worker on a free port.

    `through` stands before each command: what runs it elsewhere, such as in a network of its own.

    `database_url` empty: SQLite in the data folder. Further keywords are settings by name, such as
    FLOWPULSE_RATE_LIMIT="5"; rate limits are off otherwise. `with LiveServer(folder) as server:`
    """

    def __init__(
        self,
        data_dir: Path,
        database_url: str = "",
        *,
        worker: bool = True,
        is_migrated: bool = False,
        through: Sequence[str] = (),
        **settings: str,
    ) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://{settings.get('HOST', '127.0.0.1')}:{self.port}"
        self.through = through
        self.env = test_environment(
            data_dir, database_url, self.port, **{"FLOWPULSE_RATE_LIMIT": "0", **settings}
        )
        self.database_url = database_url
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.has_worker = worker
        self.is_migrated = is_migrated

    def __enter__(self) -> "LiveServer":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> "LiveServer":
        """Prepare the database, start everything, and wait until it answers."""
        atexit.register(self.kill)
        try:
            if not self.is_migrated:
                self.prepare()
            self.start_web()
            if self.has_worker:
                self.start_worker()
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def prepare(self) -> str:
        """Make or upgrade the database; returns what a person would see, the set-up link too."""
        done = self.cli("prepare")
        if done.returncode:
            raise ServerError(f"prepare failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def cli(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `flask --app wsgi …` in the server's environment."""
        return subprocess.run(
            [*self.through, sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
            env=self.env,
            cwd=self.data_dir,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, **{"timeout": 30, **options})

    def post(self, path: str, **options: Any) -> requests.Response:
        """POST with the options of requests: json, data, headers."""
        return requests.post(self.url + path, **{"timeout": 30, **options})

    # Starting and ending the parts ------------------------------------------------------------

    def start_web(self) -> None:
        self._start("web", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))

    def start_worker(self) -> None:
        self._start("worker", "flask", "--app", "wsgi", "worker")

    def kill_web_master(self) -> None:
        """kill -9 of gunicorn's master alone; its processes notice within a second."""
        self._kill_one("web")

    def kill_web(self) -> None:
        """kill -9 of gunicorn's master and all its processes at once."""
        self._kill_group("web")

    def kill_worker(self) -> None:
        self._kill_one("worker")

    def restart_web(self) -> None:
        """Start web again after it was killed, and wait until it answers."""
        self.start_web()
        self.wait_until_ready()

    def restart_worker(self) -> None:
        self.start_worker()

    def reload_web(self) -> None:
        """SIGHUP: new processes take over from the old ones."""
        self.processes["web"].send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End everything as a supervisor does (SIGTERM); raises ServerError where that hangs."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        try:
            for process in self.processes.values():
                process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"Did not stop:\n{self.log()}") from error
        finally:
            self.kill()

    def kill(self) -> None:
        """End everything at once; a second call does nothing."""
        atexit.unregister(self.kill)
        for name in list(self.processes):
            self._kill_group(name)

    # Looking at it ----------------------------------------------------------------------------

    def web_pids(self) -> list[int]:
        """gunicorn's processes that serve requests, without the master."""
        master = psutil.Process(self.processes["web"].pid)
        return [child.pid for child in master.children()]

    def log(self) -> str:
        """What web and worker have written."""
        files = sorted(self.data_dir.glob("*.log"))
        return "".join(f"--- {file.name}\n{file.read_text(errors='replace')}" for file in files)

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait for the first answer; raises ServerError when web ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._raise_if_ended()
            if answers(self.url):
                return
            time.sleep(0.05)
        raise ServerError(f"No answer within {seconds} s:\n{self.log()}")

    def _raise_if_ended(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise ServerError(f"{name} ended with {process.returncode}:\n{self.log()}")

    def _start(self, name: str, *module: str) -> None:
        with (self.data_dir / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.through, sys.executable, "-m", *module],
                env=self.env,
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _kill_one(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def _kill_group(self, name: str) -> None:
        process = self.processes.pop(name)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


class SupervisedServer(LiveServer):
    """Everything under the real supervisord, as `make run` has it."""

    def start_web(self) -> None:
        """supervisord starts both."""
        self._start(
            "supervisord",
            "supervisor.supervisord",
            "--nodaemon",
            "--user",
            str(os.getuid()),
            "--pidfile",
            str(self.data_dir / "supervisord.pid"),
            "-c",
            str(ROOT / "supervisord.conf"),
        )

    def start_worker(self) -> None:
        """Left to supervisord."""

    def child(self, word: str) -> psutil.Process | None:
        """supervisord's present child with this word in its command: "gunicorn", "worker"."""
        for child in psutil.Process(self.processes["supervisord"].pid).children():
            try:
                if word in child.cmdline():
                    return child
            except psutil.Error:
                continue  # It has just ended, or has not become its program yet.
        return None

    def web_pids(self) -> list[int]:
        master = self.child("gunicorn")
        return [child.pid for child in master.children()] if master else []

    def kill_web_master(self) -> None:
        self._kill_child("gunicorn")

    def kill_worker(self) -> None:
        self._kill_child("worker")

    def kill(self) -> None:
        """supervisord gives each child a process group of its own."""
        supervisor = self.processes.get("supervisord")
        family = _family(supervisor.pid) if supervisor else []
        super().kill()
        for member in family:
            try:
                member.kill()
            except psutil.Error:
                pass

    def _kill_child(self, word: str) -> None:
        child = self.child(word)
        if child is None:
            raise ServerError(f"{word} is not running:\n{self.log()}")
        child.kill()


def answers(url: str, path: str = "/healthz") -> bool:
    """Whether a server answers there; what it answers doesn't matter, unless it is an error."""
    try:
        return requests.get(url + path, timeout=5, allow_redirects=False).status_code < 500
    except requests.RequestException:
        return False


def wait_for(condition: Any, seconds: float = 5.0, pause: float = 0.02) -> Any:
    """Call until the answer is truthy, and return it; raises AssertionError when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Still {answer!r} after {seconds} s")
        time.sleep(pause)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []

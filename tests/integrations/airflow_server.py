"""Airflow itself, from an environment that pip has installed it into."""

import os
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port
from tests.server import answers, wait_for

CONSOLE = "https://airflow.example"
"""The address of Airflow in what it sends; nobody listens there."""
ENDED = {"success", "failed"}


class Airflow:
    """API server, scheduler and DAG processor, with a database of their own, on 127.0.0.1 alone.

    `command` is the program's path; DAGs are read from `dags`, whose runs are all started by hand.
    """

    def __init__(self, command: str, home: Path) -> None:
        self.command, self.home, self.dags = command, home, home / "dags"
        self.dags.mkdir(parents=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.processes: list[subprocess.Popen[bytes]] = []
        settings = {
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__PARALLELISM": "2",
            "API__BASE_URL": CONSOLE,
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__WORKERS": "1",
            "API__SECRET_KEY": "recording",
            "API_AUTH__JWT_SECRET": "recording" * 8,
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        given = {f"AIRFLOW__{name}": value for name, value in settings.items()}
        self.env = {**os.environ, **given, "AIRFLOW_HOME": str(home), "PYTHONUNBUFFERED": "1"}

    def __enter__(self) -> "Airflow":
        command = [self.command, "db", "migrate"]
        subprocess.run(command, env=self.env, cwd=self.home, check=True, capture_output=True)
        for words in (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",)):
            with (self.home / f"{words[0]}.log").open("wb") as log:
                self.processes.append(
                    subprocess.Popen(
                        [self.command, *words], env=self.env, cwd=self.home, stdout=log, stderr=log
                    )
                )
        try:
            wait_for(lambda: answers(self.url, "/api/v2/version"), 200, 0.5)
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if error[0]:
            for log in self.home.glob("*.log"):
                print(f"--- {log.name}\n{log.read_text()[-3_000:]}")
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def version(self) -> str:
        return str(self._ask("version")["version"])

    def list_dags(self) -> set[str]:
        return {each["dag_id"] for each in self._ask("dags")["dags"]}

    def start(self, dag_id: str) -> None:
        """As the button "Trigger" does."""
        self._ask(f"dags/{dag_id}/dagRuns", {"logical_date": None})

    def wait_for_end(self, dag_id: str) -> str:
        """The state of the DAG's only run at its end."""

        def look() -> str | None:
            (run,) = self._ask(f"dags/{dag_id}/dagRuns")["dag_runs"]
            return run["state"] if run["state"] in ENDED else None

        return str(wait_for(look, 120, 0.5))

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Of the API; with a body it is a POST."""
        if not self.session.headers.get("Authorization"):
            token = self.session.get(f"{self.url}/auth/token", timeout=60).json()["access_token"]
            self.session.headers["Authorization"] = f"Bearer {token}"
        method = "POST" if body else "GET"
        answer = self.session.request(method, f"{self.url}/api/v2/{path}", json=body, timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

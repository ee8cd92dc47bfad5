"""n8n itself, from a folder that npm has installed it into."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port
from tests.server import answers, wait_for

EDITOR = "https://n8n.example"
"""The address of n8n in what it sends; nobody listens there."""
OWNER = {"email": "ana@example.org", "firstName": "A", "lastName": "B", "password": "Passw0rd"}
Workflow = dict[str, Any]


class N8n:
    """One n8n with a database of its own, on a free port of 127.0.0.1."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self.command, self.home = list(command), home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.session = requests.Session()
        self.process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)
        self.env = {
            **os.environ,
            "N8N_USER_FOLDER": str(home),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_EDITOR_BASE_URL": EDITOR,
            "N8N_SECURE_COOKIE": "false",
            "N8N_DIAGNOSTICS_ENABLED": "false",
            "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
            "N8N_TEMPLATES_ENABLED": "false",
            "GENERIC_TIMEZONE": "Asia/Kolkata",
        }

    def run(self, *words: str) -> str:
        """A command of n8n's own; raises CalledProcessError where it fails."""
        done = subprocess.run(
            [*self.command, *words],
            env=self.env,
            cwd=self.home,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.stdout

    def load(self, workflows: Sequence[Workflow]) -> str:
        folder = self.home / "import"
        folder.mkdir()
        for number, workflow in enumerate(workflows):
            (folder / f"{number}.json").write_text(json.dumps(workflow))
        return self.run("import:workflow", "--separate", f"--input={folder}")

    def __enter__(self) -> "N8n":
        with (self.home / "n8n.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "start"], env=self.env, cwd=self.home, stdout=log, stderr=log
            )
        wait_for(lambda: answers(self.url, "/healthz/readiness"), 200, 0.5)
        self.ask("owner/setup", OWNER)
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process
        if error[0]:
            print((self.home / "n8n.log").read_text()[-6_000:])
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, path: str, body: Workflow) -> Any:
        answer = self.session.post(f"{self.url}/rest/{path}", json=body, timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()["data"]

    def publish(self, workflow_id: str) -> None:
        """As the button does."""
        answer = self.session.get(f"{self.url}/rest/workflows/{workflow_id}", timeout=60)
        version = answer.json()["data"]["versionId"]
        self.ask(f"workflows/{workflow_id}/activate", {"versionId": version})

    def start_by_hand(self, workflow_id: str, trigger: str) -> None:
        """As the button "Execute workflow" does."""
        self.ask(f"workflows/{workflow_id}/run", {"triggerToStartFrom": {"name": trigger}})

    def hook(self, path: str, body: Any) -> None:
        answer = requests.post(f"{self.url}/webhook/{path}", json=body, timeout=60)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"

    def endings(self, workflow_id: str) -> list[str]:
        """The status of each of its executions, the oldest first."""
        (file,) = self.home.rglob("database.sqlite")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            rows = connection.execute(
                "SELECT status FROM execution_entity WHERE workflowId = ? ORDER BY id",
                (workflow_id,),
            )
            return [status for (status,) in rows]

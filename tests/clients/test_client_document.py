"""The examples of docs/clients.md, run as they stand against the real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT, LiveServer, wait_for
from tests.teams import LiveTeam


@pytest.mark.once
@pytest.mark.parametrize(
    ("language", "program"),
    [
        ("python", sys.executable),
        pytest.param(
            "javascript",
            "node",
            marks=pytest.mark.needs("node"),
        ),
    ],
)
def test_the_example_makes_a_run(
    live_server: LiveServer, own_team: LiveTeam, tmp_path: Path, language: str, program: str
) -> None:
    server, team = live_server, own_team
    page = (ROOT / "docs" / "clients.md").read_text()
    (text,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "flowpulse").symlink_to(ROOT / "clients" / "javascript")
    script = tmp_path / "example.mjs"
    script.write_text(text.replace("nightly-sync", team.slug))
    told = {"FLOWPULSE_URL": server.url, "FLOWPULSE_API_KEY": team.headers["X-API-Key"]}
    told["PYTHONPATH"] = str(ROOT / "clients" / "python")
    subprocess.run([program, str(script)], env={**os.environ, **told}, timeout=60, check=True)

    def runs() -> list[str]:
        answer = server.get("/api/v1/runs", headers=team.headers).json()
        return [run["outcome"] for run in answer["data"]]

    wait_for(lambda: runs() == ["success"], 30)

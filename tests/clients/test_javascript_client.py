"""The JavaScript client against the real server, in Node."""

import os
import subprocess

import pytest

from tests.server import ROOT, LiveServer, wait_for
from tests.teams import LiveTeam


@pytest.mark.once
@pytest.mark.needs("node")
def test_the_javascript_client(live_server: LiveServer, own_team: LiveTeam) -> None:
    server, team = live_server, own_team
    told = {"FLOWPULSE_URL": server.url, "FLOWPULSE_API_KEY": team.headers["X-API-Key"]}
    done = subprocess.run(
        ["node", "--test", str(ROOT / "tests" / "clients" / "client.test.mjs")],
        env={**os.environ, **told, "SLUG": team.slug},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    def outcomes() -> list[str]:
        answer = server.get("/api/v1/runs", headers=team.headers).json()
        return sorted(run["outcome"] for run in answer["data"])

    wait_for(lambda: outcomes() == ["failure", "success", "success", "success"], 30)

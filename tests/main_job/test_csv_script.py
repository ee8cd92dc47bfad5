"""The script of docs/batch.md sends a CSV file, and may be started again."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

pytestmark = pytest.mark.once  # A script and HTTP; batches are tested on both databases.
PAGE = (Path(__file__).parents[2] / "docs" / "batch.md").read_text()
MANY = 620
"""More than one batch."""


def block(language: str) -> str:
    """The only piece of this language on the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "send_csv.py").write_text(block("python"))
    return tmp_path


def send(folder: Path, server: LiveServer, key: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "send_csv.py", "runs.csv"],
        cwd=folder,
        env={"FLOWPULSE_URL": server.url, "FLOWPULSE_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def list_runs(server: LiveServer, team: LiveTeam) -> list[dict[str, str]]:
    """Of the reading API, the newest first, at most 200."""
    answer = requests.get(
        f"{server.url}/api/v1/runs?limit=200", headers=team.headers, timeout=30
    ).json()
    return list(answer["data"])


def test_each_row_becomes_a_run_once_and_a_wrong_one_is_told_with_its_number(
    folder: Path, live_server: LiveServer, own_team: LiveTeam
) -> None:
    rows = block("csv").replace("nightly-sync", own_team.slug)
    (folder / "runs.csv").write_text(rows + "nowhere,1,,2026-01-15T09:31:00Z,\n")
    for _ in range(2):
        done = send(folder, live_server, own_team.key)
        assert done.stdout == "2 accepted, 1 refused\n", done.stderr
        assert done.stderr.startswith("Row 3: ")
    wait_for(lambda: len(list_runs(live_server, own_team)) == 2)
    outcomes = {
        each["external_execution_id"]: each["outcome"] for each in list_runs(live_server, own_team)
    }
    assert outcomes == {"231": "success", "232": "failure"}


def test_a_file_of_many_rows_is_sent_in_parts(
    folder: Path, live_server: LiveServer, own_team: LiveTeam
) -> None:
    rows = "".join(f"{own_team.slug},{n},,2026-01-15T09:31:00Z,\n" for n in range(MANY))
    (folder / "runs.csv").write_text("workflow,id,started,ended,error\n" + rows)
    assert send(folder, live_server, own_team.key).stdout == f"{MANY} accepted, 0 refused\n"


def test_a_key_that_opens_nothing_is_told_in_one_line(
    folder: Path, live_server: LiveServer, own_team: LiveTeam
) -> None:
    (folder / "runs.csv").write_text(block("csv"))
    done = send(folder, live_server, own_team.key[:-1])
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr

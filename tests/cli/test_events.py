"""`events tail`: the live log in the terminal."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.ingest.service import ingest_service
from app.keys import make_key
from app.processing.batch import process_batch
from tests.cli.conftest import Run
from tests.factories import Team, make_team, report
from tests.server import test_environment

TAIL = [sys.executable, "-m", "flask", "--app", "wsgi", "events", "tail"]


@pytest.fixture
def team(run: Run) -> Team:
    return make_team()


def flush() -> None:
    """Have refused requests written now."""
    ingest_service().recorder.flush()


def test_events_are_printed_with_the_newest_last(run: Run, team: Team, client: FlaskClient) -> None:
    report(client, team)
    process_batch(10)
    report(client, team, "failure")
    report(client, team, ended_at=None, endedAt="2026-01-15T09:31:00Z")
    flush()
    lines = run("events", "tail").stdout.splitlines()
    assert [line.split()[2:6] for line in lines] == [
        ["processed", "202", "run-success", "lead-enrichment"],
        ["accepted", "202", "run-failure", "lead-enrichment"],
        ["rejected", "400", "validation_failed", team.slug],
    ]
    assert "ended_at" in lines[-1]


def test_limit_and_state_narrow_it_down(run: Run, team: Team, client: FlaskClient) -> None:
    for number in range(3):
        report(client, team, correlation_id=str(number))
    process_batch(2)
    assert len(run("events", "tail", "--limit", "2").stdout.splitlines()) == 2
    assert len(run("events", "tail", "--state", "processed").stdout.splitlines()) == 2
    assert run("events", "tail", "--limit", "0").stdout == ""
    run("events", "tail", "--limit", "-1", exit_code=2)
    run("events", "tail", "--state", "lost", exit_code=2)


def test_json_lines_hold_what_became_of_each_event(
    run: Run, team: Team, client: FlaskClient
) -> None:
    sent = report(client, team, unknown_field=1).json
    process_batch(10)
    line = json.loads(run("events", "tail", "--json").stdout)
    assert line["id"] == sent["event_id"]
    assert (line["state"], line["status"], line["api_key"]) == ("processed", 202, "n8n-prod")
    assert line["run_id"] and line["received_at"].endswith("Z")
    assert [warning["field"] for warning in line["warnings"]] == ["unknown_field"]


def test_hostile_text_does_not_reach_the_terminal(
    run: Run, team: Team, client: FlaskClient
) -> None:
    report(client, team, workflow_slug="\x1b]0;owned\x07\u202e\r\nfake line")
    flush()
    for arguments in ([], ["--json"]):
        printed = run("events", "tail", *arguments).stdout
        assert printed.endswith("\n") and printed.removesuffix("\n").isprintable()


def test_others_workspaces_stay_out_and_unknown_keys_come_in(
    run: Run, team: Team, client: FlaskClient
) -> None:
    other = make_team(first=False)
    report(client, team)
    report(client, other)
    client.post("/api/v1/ingest/run-success", json={}, headers={"X-API-Key": make_key()})
    flush()
    lines = run("events", "tail", "--workspace", "Team").stdout.splitlines()
    assert [line.split()[4] for line in lines] == ["run-success", "unknown_api_key"]


@pytest.fixture
def following(team: Team, database_url: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*TAIL, "--follow", "--json"],
        env=test_environment(tmp_path, database_url, 8000),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def test_follow_prints_what_comes_in_once_each_until_ctrl_c(
    team: Team, client: FlaskClient, following: subprocess.Popen[str]
) -> None:
    assert following.stdout
    sent = [report(client, team).json["event_id"]]
    printed = [json.loads(following.stdout.readline())["id"]]
    for _ in range(3):
        sent.append(report(client, team).json["event_id"])
        printed.append(json.loads(following.stdout.readline())["id"])
    following.send_signal(signal.SIGINT)
    rest, said = following.communicate(timeout=10)
    assert (printed, rest, said, following.returncode) == (sent, "", "", 0)


@pytest.mark.once
def test_it_ends_quietly_when_nobody_reads_on(
    team: Team, client: FlaskClient, following: subprocess.Popen[str]
) -> None:
    assert following.stdout and following.stderr
    report(client, team)
    following.stdout.readline()
    following.stdout.close()
    report(client, team)
    assert following.wait(timeout=10) == 0
    assert following.stderr.read() == ""


@pytest.mark.once
def test_a_pipe_that_closes_early_is_no_error(
    team: Team, client: FlaskClient, database_url: str, tmp_path: Path
) -> None:
    for _ in range(5):
        report(client, team)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        TAIL,
        env=test_environment(tmp_path, database_url, 8000),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.once
def test_ctrl_c_is_afterwards_what_it_was_before(run: Run, team: Team) -> None:
    before = signal.getsignal(signal.SIGINT)
    run("events", "tail")
    assert signal.getsignal(signal.SIGINT) is before

"""Python with Airflow and dbt, and PHP; Python and Node alone are tested with the wizard."""

import json
import sys
from pathlib import Path

import pytest

from app.console.integration_files import read_file
from app.console.integrations import read_page
from tests.integrations.running import AWKWARD, Reports, put, run, target_away, target_of
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
needs_php = pytest.mark.needs("php")
AIRFLOW = """
import sys
from datetime import datetime, timezone
from types import SimpleNamespace
from flowpulse_airflow import tell_failure, tell_success

task = SimpleNamespace(task_id="load", log_url="https://airflow.example/log")

def context(run_id, hour, **others):
    at = [datetime(2026, 1, 1, each, tzinfo=timezone.utc) for each in (0, hour)]
    run = SimpleNamespace(dag_id="nightly", run_id=run_id, start_date=at[0], end_date=at[1])
    return {"dag_run": run, "task_instance": task, **others}

tell_failure(context("1", 1, exception=ValueError(sys.argv[1])))
tell_failure({"dag": SimpleNamespace(dag_id="nightly"), "run_id": "2", "reason": "timed_out"})
tell_success(context("3", 1, reason="success"))
tell_failure(context("3", 2, reason="task_failure"))
"""


def test_the_callbacks_of_airflow_tell_of_runs(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    """With less than Airflow 3.3 hands to them too, which test_airflow_recorded.py has."""
    target = target_of(live_server, live_team)
    put(tmp_path, target, "python/flowpulse.py", "airflow/flowpulse_airflow.py")
    reports = Reports(live_server, live_team)
    done = run([sys.executable, "-c", AIRFLOW, AWKWARD], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    failure, timed_out, first, last = reports.wait(4)
    assert (failure["error_message"], failure["error_type"]) == (AWKWARD, "ValueError")
    assert (timed_out["error_message"], timed_out["error_type"]) == ("timed_out", "timed_out")
    assert timed_out["external_execution_id"] == "nightly 2"
    assert first["id"] == last["id"]
    assert last["error_message"] == "task_failure in load"
    assert (last["external_execution_id"], last["duration_ms"]) == ("nightly 3", 7_200_000)
    assert (last["source_platform"], last["source_workflow_id"]) == ("airflow", "nightly")
    log = "https://airflow.example/log"
    assert last["metadata"] == {"run_id": "3", "last_task": "load", "log_url": log}
    assert {each["warnings"] for each in (failure, timed_out, first, last)} == {None}


def test_the_dag_of_the_page_can_be_read() -> None:
    code = read_file("airflow/nightly.py")
    compile(code, "nightly.py", "exec")
    assert "on_failure_callback=tell_failure" in code


FAKE_DBT = """#!/bin/sh
mkdir -p target
cp results.json target/run_results.json
exit "$1"
"""


def test_the_wrapper_of_dbt_tells_which_nodes_failed(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    target = target_of(live_server, live_team)
    put(tmp_path, target, "python/flowpulse.py", "dbt/flowpulse_dbt.py")
    (tmp_path / "dbt").write_text(FAKE_DBT)
    (tmp_path / "dbt").chmod(0o755)
    results = [
        {"unique_id": "model.a", "status": "success", "message": "OK"},
        {"unique_id": "test.b", "status": "fail", "message": AWKWARD},
    ]
    (tmp_path / "results.json").write_text(json.dumps({"results": results}))
    path = f"{tmp_path}:/usr/bin:/bin"
    reports = Reports(live_server, live_team)
    for status in (0, 1):
        done = run([sys.executable, "flowpulse_dbt.py", str(status)], tmp_path, PATH=path)
        assert (done.returncode, done.stderr) == (status, "")
    success, failure = reports.wait(2)
    assert success["metadata"] == failure["metadata"] == {"nodes": {"success": 1, "fail": 1}}
    assert failure["error_message"] == f"test.b: {AWKWARD}"
    assert (failure["error_type"], failure["source_platform"]) == ("exit status 1", "dbt")
    assert failure["warnings"] is None


PHP = """<?php
require 'flowpulse.php';
flowpulse_watched(function () use ($argv) {
    if ($argv[1] !== '') {
        throw new DomainException($argv[1]);
    }
    echo "job\n";
});
echo "after\n";
"""


@needs_php
def test_the_php_file_reports_what_the_job_came_to(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    put(tmp_path, target_of(live_server, live_team), "php/flowpulse.php")
    (tmp_path / "job.php").write_text(PHP)
    reports = Reports(live_server, live_team)
    good = run(["php", "job.php", ""], tmp_path)
    assert (good.returncode, good.stdout, good.stderr) == (0, "job\nafter\n", "")
    bad = run(["php", "job.php", AWKWARD], tmp_path)
    assert bad.returncode == 255
    assert "FlowPulse did not" not in bad.stderr
    success, failure = reports.wait(2)
    assert (success["outcome"], success["warnings"]) == ("success", None)
    assert (failure["error_type"], failure["error_message"]) == ("DomainException", AWKWARD)


@needs_php
def test_the_example_of_the_php_page_runs(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    put(tmp_path, target_of(live_server, live_team), "php/flowpulse.php")
    document = read_page("php")
    assert document
    (code,) = [block.text for block in document.blocks if block.language == "php"]
    (tmp_path / "job.php").write_text(code)
    reports = Reports(live_server, live_team)
    assert run(["php", "job.php"], tmp_path).stdout == "Your job goes here.\n"
    assert reports.wait(1)[0]["outcome"] == "success"


@needs_php
def test_the_php_file_never_throws(tmp_path: Path) -> None:
    put(tmp_path, target_away(), "php/flowpulse.php")
    (tmp_path / "job.php").write_text(PHP)
    done = run(["php", "job.php", ""], tmp_path)
    assert (done.returncode, done.stdout) == (0, "job\nafter\n")
    assert "FlowPulse did not take the report" in done.stderr

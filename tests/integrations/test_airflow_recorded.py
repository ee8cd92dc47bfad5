"""What a real Airflow has sent (tests.integrations.record_airflow), replayed on the real server."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.console.integration_files import FOLDER, STAND_IN_URL, fill
from app.console.snippet_parts import Target
from tests.integrations.airflow_server import CONSOLE
from tests.integrations.record_airflow import CASES as DAGS
from tests.integrations.record_airflow import FILE, LISTED, OTHER_SLUG
from tests.integrations.running import AWKWARD, Reports, put, run, target_of
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
RECORDED = json.loads(FILE.read_text())
CASES: dict[str, dict[str, Any]] = {each["case"]: each for each in RECORDED["cases"]}
LOST = "a success whose answer got lost twice"
BY_TASK = "a failure told by a callback of a task"
LATE = "a run that took too long"
AGAIN = """
import json, sys
from datetime import datetime
from types import SimpleNamespace
import flowpulse_airflow

def told(event, **fields):
    print(json.dumps({"event": event, **fields}))

def thing(fields):
    if not fields:
        return None
    dates = {n: datetime.fromisoformat(v) for n, v in fields.items() if v and n.endswith("_date")}
    return SimpleNamespace(**{**fields, **dates})

flowpulse_airflow.report = told
handed = json.loads(sys.argv[2])
context = {name: handed[name] for name in ("reason", "run_id") if handed[name]}
for name in ("dag", "dag_run", "task_instance"):
    if handed[name]:
        context[name] = thing(handed[name])
if handed["exception"]:
    kind, text = handed["exception"]
    context["exception"] = type(kind, (Exception,), {})(text)
getattr(flowpulse_airflow, sys.argv[1])(context)
"""
"""Has a callback make its report of what Airflow handed to it."""


def body_of(case: str) -> dict[str, Any]:
    """That of the case's first request."""
    return dict(json.loads(CASES[case]["requests"][0]["body"]))


def event_of(case: str) -> str:
    return str(CASES[case]["requests"][0]["path"].rpartition("/")[2])


def times_of(case: str) -> tuple[datetime, datetime]:
    """Of the run's start and end."""
    body = body_of(case)
    return datetime.fromisoformat(body["started_at"]), datetime.fromisoformat(body["ended_at"])


def replay(server: LiveServer, team: LiveTeam, target: Target, case: str) -> list[str | None]:
    """Sends all of the case, ended now; whether each was a repetition."""
    repeated = []
    began, ended = times_of(case)
    now = datetime.now(UTC)
    shifted = {ended.isoformat(): now, began.isoformat(): now - (ended - began)}
    for request in CASES[case]["requests"]:
        text = request["body"].replace(OTHER_SLUG, team.other_slug)
        for before, after in shifted.items():
            assert before in text
            text = text.replace(f'"{before}"', f'"{after.isoformat()}"')
        headers = {name: fill(value, target) for name, value in request["headers"].items()}
        body = fill(text, target, "json").encode()
        answer = server.post(request["path"], data=body, headers=headers)
        assert answer.status_code == 202, answer.text
        assert "warnings" not in answer.json()
        repeated.append(answer.headers.get("Idempotent-Replayed"))
    return repeated


def test_each_recorded_report_becomes_the_run_that_it_tells_of(
    live_server: LiveServer, own_team: LiveTeam
) -> None:
    target = target_of(live_server, own_team)
    reports = Reports(live_server, own_team)
    for case in CASES:
        repeated = replay(live_server, own_team, target, case)
        assert repeated == [None, *["true"] * (len(repeated) - 1)]
    for case, told in zip(CASES, reports.wait(len(CASES)), strict=True):
        body = body_of(case)
        outcome = event_of(case).removeprefix("run-")
        assert (told["outcome"], told["source_platform"]) == (outcome, "airflow"), case
        for field in ("error_message", "error_type", "external_execution_id", "metadata"):
            assert told[field] == body.get(field), case


def test_a_lost_answer_has_the_callback_send_the_same_again() -> None:
    requests = CASES[LOST]["requests"]
    assert len(requests) == 3 and all(each == requests[0] for each in requests)
    assert all(len(each["requests"]) == 1 for case, each in CASES.items() if case != LOST)


def test_each_run_is_told_with_its_dag_its_times_and_its_log() -> None:
    page = (FOLDER / "airflow" / "README.md").read_text().lower()
    for case in CASES:
        body = body_of(case)
        dag_id = body["source_workflow_id"]
        assert dag_id in DAGS and body["external_execution_id"].startswith(f"{dag_id} manual__")
        slug = OTHER_SLUG if dag_id == "listed" else "your-workflow"
        assert body["workflow_slug"] == slug
        began, ended = times_of(case)
        assert timedelta() < ended - began < timedelta(minutes=3), case
        assert body["metadata"]["log_url"].startswith(f"{CONSOLE}/dags/{dag_id}/runs/"), case
        assert f"airflow {RECORDED['airflow']}" in page, "which tells what it was tried with"


def test_a_dag_tells_its_reason_and_a_task_its_error() -> None:
    assert body_of(BY_TASK)["error_message"] == AWKWARD
    assert body_of(BY_TASK)["error_type"] == "ValueError"
    for case in ("a failure", "a failure after a retry"):
        assert body_of(case)["error_message"] == "task_failure in load"
    assert body_of(LATE)["error_type"] == "timed_out"


@pytest.mark.parametrize("case", CASES)
def test_the_file_still_makes_of_it_what_was_recorded(case: str, tmp_path: Path) -> None:
    """Else it has changed since: record anew, as CONTRIBUTING.md tells."""
    target = Target(STAND_IN_URL, "w" * 24, "your-workflow")
    put(tmp_path, target, "python/flowpulse.py", "airflow/flowpulse_airflow.py")
    callbacks = tmp_path / "flowpulse_airflow.py"
    callbacks.write_text(callbacks.read_text().replace(LISTED, f'{{"listed": "{OTHER_SLUG}"}}'))
    name = "tell_success" if event_of(case) == "run-success" else "tell_failure"
    handed = json.dumps(CASES[case]["handed"])
    done = run([sys.executable, "-c", AGAIN, name, handed], tmp_path)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made.pop("event") == event_of(case)
    recorded = body_of(case)
    own = {"workflow_slug", "ended_at"} - set(made)  # What flowpulse.py adds by itself.
    assert {name: value for name, value in recorded.items() if name not in own} == made


def test_nothing_secret_is_kept_and_all_goes_to_flowpulse() -> None:
    text = FILE.read_text()
    assert "127.0.0.1" not in text
    headers = [
        {name.lower(): value for name, value in each["headers"].items()}
        for case in CASES.values()
        for each in case["requests"]
    ]
    assert {each["x-api-key"] for each in headers} == {"fp_your_key"}

"""What a real n8n has sent (tests.integrations.record_n8n), replayed against the real server."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.console.integration_files import STAND_IN_URL, fill
from app.console.snippet_parts import Target
from tests.integrations.record_n8n import FILE, OTHER_SLUG
from tests.integrations.running import AWKWARD, Reports, target_of
from tests.integrations.test_n8n import evaluate, nodes_of
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
RECORDED = json.loads(FILE.read_text())
CASES: dict[str, dict[str, Any]] = {each["case"]: each for each in RECORDED["cases"]}
LOST = [case for case in CASES if "got lost" in case]
TOLD_ONCE = ("ended_at", "workflow_id", "workflow_slug")


def body_of(case: str) -> dict[str, Any]:
    """That of the case's first request."""
    return dict(json.loads(CASES[case]["requests"][0]["body"]))


def replay(server: LiveServer, team: LiveTeam, target: Target, case: str) -> list[str | None]:
    """Sends all of the case, ended now; whether each was a repetition."""
    repeated = []
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ended_at = body_of(case)["ended_at"]
    assert len(ended_at) == len(now) and ended_at.endswith("Z")
    for request in CASES[case]["requests"]:
        text = request["body"].replace(OTHER_SLUG, team.other_slug).replace(ended_at, now)
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
        outcome = CASES[case]["requests"][0]["path"].rpartition("run-")[2]
        assert (told["outcome"], told["source_platform"]) == (outcome, "n8n"), case
        for field in ("error_message", "error_type", "external_execution_id", "metadata"):
            assert told[field] == body.get(field), case


def test_a_lost_answer_has_n8n_send_the_same_again() -> None:
    assert LOST
    for case in LOST:
        requests = CASES[case]["requests"]
        assert len(requests) > 1
        assert all(each == requests[0] for each in requests), case


def test_quotes_line_breaks_and_braces_arrive_whole() -> None:
    assert body_of("a failure")["error_message"] == AWKWARD
    first_line = AWKWARD.partition("\n")[0]  # All that n8n keeps of what code has thrown.
    assert body_of("a failure in code")["error_message"] == f"{first_line} [line 1]"
    for case in CASES:
        assert AWKWARD in body_of(case)["metadata"]["n8n_workflow"]


def test_each_case_is_told_once_and_by_whom_it_should_be() -> None:
    keys = [each["requests"][0]["headers"]["idempotency-key"] for each in CASES.values()]
    assert len(set(keys)) == len(keys)
    assert all(len(each["requests"]) == 1 for case, each in CASES.items() if case not in LOST)
    assert body_of("a failure of a listed workflow")["workflow_slug"] == OTHER_SLUG
    assert all(body_of(case)["external_execution_id"].isdigit() for case in CASES)


@pytest.mark.parametrize("case", [case for case in CASES if "handed" in CASES[case]])
def test_the_files_still_make_of_it_what_was_recorded(case: str, tmp_path: Path) -> None:
    """Else the files have changed since: record them anew, as CONTRIBUTING.md tells."""
    alone = "without the sub-workflow" in case
    nodes = nodes_of("error-workflow-alone.json" if alone else "error-workflow.json")
    expression = nodes["FlowPulse: run-failure"]["parameters"]["jsonOutput"]
    made = json.loads(evaluate(expression, CASES[case]["handed"], tmp_path))["body"]
    recorded = body_of(case)
    assert set(made) == set(recorded)
    for body in (made, recorded):
        for name in TOLD_ONCE:
            body.pop(name, None)
    assert made == recorded


def test_nothing_secret_is_kept_and_all_goes_to_flowpulse() -> None:
    text = FILE.read_text()
    assert "127.0.0.1" not in text.replace(STAND_IN_URL, "")
    assert all(
        each["headers"]["x-api-key"] == "fp_your_key"
        for case in CASES.values()
        for each in case["requests"]
    )

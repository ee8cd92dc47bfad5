"""The nodes for n8n: their form, and what their expressions make of what n8n hands on."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from app.console.integration_files import FOLDER, read_file
from tests.integrations.running import AWKWARD, Reports, target_of
from tests.programs import find
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
FILES = sorted(path.name for path in (FOLDER / "n8n").glob("*.json"))
ERROR = {"message": AWKWARD, "name": "NodeApiError", "stack": "…"}
FAILED = {
    "execution": {
        "id": "231",
        "url": "https://n8n.example/workflow/8H/executions/231",
        "error": ERROR,
        "lastNodeExecuted": 'Call the "CRM"',
        "mode": "trigger",
    },
    "workflow": {"id": "8H", "name": AWKWARD},
}
"""As n8n's executeErrorWorkflow makes it; without an execution's id, the error is the trigger's."""
TRIGGER_FAILED = {
    "trigger": {"error": ERROR, "mode": "trigger"},
    "workflow": {"id": "8H", "name": "x"},
}
TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def nodes_of(file: str, target: Any = None) -> dict[str, dict[str, Any]]:
    text = read_file(f"n8n/{file}", target) if target else read_file(f"n8n/{file}")
    return {node["name"]: node for node in json.loads(text)["nodes"]}


def evaluate(value: str, item: dict[str, Any], folder: Path) -> str:
    """A parameter as n8n reads it: `=` begins a text, in which {{ … }} is JavaScript."""
    if not value.startswith("="):
        return value
    pieces = TEMPLATE.split(value[1:])
    code = " + ".join(
        f"String({piece})" if number % 2 else json.dumps(piece)
        for number, piece in enumerate(pieces)
    )
    script = f"""
const $json = {json.dumps(item)};
const item = {{ json: $json }};
const $input = {{ all: () => [item], first: () => item, item }};
const $execution = {{ id: "77", mode: "production" }};
const $workflow = {{ id: "8HkQ2mVx", name: {json.dumps(AWKWARD)}, active: true }};
const $now = {{
  toUTC: () => ({{ toISO: () => new Date().toISOString() }}),
  toMillis: () => Date.now(),
}};
process.stdout.write({code});
"""
    done = subprocess.run(
        [find("node"), "-"], input=script, capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def send(
    target: Any, item: dict[str, Any], folder: Path, file: str = "sub-workflow.json"
) -> requests.Response:
    """What the file's HTTP Request node sends of one item."""
    nodes = nodes_of(file, target).values()
    (parameters,) = (each["parameters"] for each in nodes if each["type"].endswith("httpRequest"))
    headers = {
        each["name"]: evaluate(each["value"], item, folder)
        for each in parameters["headerParameters"]["parameters"]
    }
    body = evaluate(parameters["jsonBody"], item, folder)
    url = evaluate(parameters["url"], item, folder)
    headers["Content-Type"] = "application/json"
    return requests.post(url, data=body.encode(), headers=headers, timeout=10)


@pytest.mark.parametrize("file", FILES)
def test_each_file_has_the_form_that_n8n_pastes_and_imports(file: str) -> None:
    pasted = json.loads(read_file(f"n8n/{file}"))
    names = [node["name"] for node in pasted["nodes"]]
    assert len(set(names)) == len(names)
    assert len({node["id"] for node in pasted["nodes"]}) == len(names)
    for node in pasted["nodes"]:
        assert set(node) >= {"parameters", "id", "name", "type", "typeVersion", "position"}
    for source, ways in pasted["connections"].items():
        assert source in names
        assert all(link["node"] in names for way in ways["main"] for link in way)


@pytest.mark.parametrize("file", FILES)
def test_no_expression_ends_before_its_end(file: str) -> None:
    """n8n ends an expression at the first pair of closing braces."""
    for value in re.findall(r'"(=\{\{(?:[^"\\]|\\.)*)"', read_file(f"n8n/{file}")):
        assert value.count("}}") == 1 and value.endswith("}}"), value


def test_both_callers_call_the_sub_workflow_and_neither_waits_nor_fails_with_it() -> None:
    own = json.loads(read_file("n8n/sub-workflow.json"))
    for file in ("success-step.json", "error-workflow.json"):
        call = nodes_of(file)["FlowPulse: send"]
        assert call["parameters"]["workflowId"]["value"] == own["id"]
        assert call["parameters"]["options"] == {"waitForSubWorkflow": False}
        assert call["onError"] == "continueRegularOutput"


def test_the_page_imports_and_publishes_the_sub_workflow_by_its_own_id() -> None:
    page = (FOLDER / "n8n" / "README.md").read_text("utf-8")
    (file,) = re.findall(r"^n8n import:workflow --input=(\S+)$", page, re.MULTILINE)
    (named,) = re.findall(r"^n8n publish:workflow --id=(\S+)$", page, re.MULTILINE)
    assert json.loads(read_file(f"n8n/{file}"))["id"] == named


def test_each_file_reports_once_however_many_items_come_and_no_workflow_fails_with_it() -> None:
    """The time and the key are written once, before the first try: all tries send the same."""
    for file in FILES:
        nodes = nodes_of(file).values()
        for node in (each for each in nodes if each["type"].endswith(".set")):
            assert node["executeOnce"] is True
            assert "Math.random()" in node["parameters"]["jsonOutput"]
            assert ("onError" in node) == file.startswith("success-")
        for node in (each for each in nodes if each["type"].endswith(".httpRequest")):
            assert (node["retryOnFail"], node["onError"]) == (True, "continueRegularOutput")
            assert "$now" not in json.dumps(node)


def test_the_key_is_in_the_sub_workflow_alone() -> None:
    with_key = {file for file in FILES if "fp_your_key" in read_file(f"n8n/{file}")}
    assert with_key == {"sub-workflow.json", "success-alone.json", "error-workflow-alone.json"}


@pytest.mark.parametrize(
    ("file", "sender"),
    [("success-step.json", "sub-workflow.json"), ("success-alone.json", "success-alone.json")],
)
def test_a_success_is_told_and_a_repeated_try_is_one_event(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, file: str, sender: str
) -> None:
    target = target_of(live_server, live_team)
    node = nodes_of(file, target)["FlowPulse: run-success"]
    item = json.loads(evaluate(node["parameters"]["jsonOutput"], {"any": AWKWARD}, tmp_path))
    reports = Reports(live_server, live_team)
    answers = [send(target, item, tmp_path, sender) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    (told,) = reports.wait(1)
    assert (told["outcome"], told["warnings"]) == ("success", None)
    assert told["external_execution_id"] == "77"
    assert told["metadata"] == {"n8n_workflow": AWKWARD}


CASES = {
    "a failure": (FAILED, AWKWARD, "NodeApiError", "231"),
    "one that was not saved": (
        {"execution": {"error": ERROR}, "workflow": {"id": "8H", "name": "x"}},
        AWKWARD,
        "NodeApiError",
        None,
    ),
    "a trigger that failed": (TRIGGER_FAILED, AWKWARD, "NodeApiError", None),
    "no message": (
        {"execution": {"id": "9", "error": {}}, "workflow": {"id": "8H"}},
        "The workflow failed without a message",
        None,
        "9",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_failure_goes_through_both_workflows(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path, case: str
) -> None:
    handed_on, message, kind, execution_id = CASES[case]
    target = target_of(live_server, live_team)
    told = []
    for file, sender in (
        ("error-workflow.json", "sub-workflow.json"),
        ("error-workflow-alone.json", "error-workflow-alone.json"),
    ):
        node = nodes_of(file, target)["FlowPulse: run-failure"]
        item = json.loads(evaluate(node["parameters"]["jsonOutput"], handed_on, tmp_path))
        reports = Reports(live_server, live_team)
        answer = send(target, item, tmp_path, sender)
        assert answer.status_code == 202, answer.text
        told += reports.wait(1)
    for each in told:
        assert (each["outcome"], each["error_message"]) == ("failure", message)
        assert (each["error_type"], each["external_execution_id"]) == (kind, execution_id)
        assert each["warnings"] is None


def test_one_error_workflow_serves_many_workflows(
    live_server: LiveServer, live_team: LiveTeam, tmp_path: Path
) -> None:
    node = nodes_of("error-workflow.json", target_of(live_server, live_team))[
        "FlowPulse: run-failure"
    ]
    listed = '{ "id of a workflow in n8n": "its slug in FlowPulse" }'
    expression = node["parameters"]["jsonOutput"]
    assert listed in expression
    filled = expression.replace(listed, f'{{ "8H": "{live_team.other_slug}" }}')
    item = json.loads(evaluate(filled, FAILED, tmp_path))
    assert item["body"]["workflow_slug"] == live_team.other_slug

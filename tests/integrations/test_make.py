"""Make and Zapier, as far as they can be tried without their makers' clouds."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from app.console.integration_files import read_file
from app.console.integrations import read_page
from tests.integrations.running import AWKWARD, Reports, target_of
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
FUNCTION = re.compile(r"\{\{formatDate\(.*?\)\}\}")


def headers_of(mapper: dict[str, Any]) -> dict[str, str]:
    """Those of the module, and those that Make adds."""
    told = {each["name"]: each["value"] for each in mapper["headers"]}
    return {"User-Agent": "Make/production", "Content-Type": mapper["contentType"], **told}


def test_the_blueprint_has_the_form_that_make_exports_and_never_stops_a_scenario() -> None:
    blueprint = json.loads(read_file("make/blueprint.json"))
    (module,) = blueprint["flow"]
    assert (module["module"], module["version"]) == ("http:ActionSendData", 3)
    assert module["parameters"]["handleErrors"] is True
    assert [each["module"] for each in module["onerror"]] == ["builtin:Ignore"]
    assert module["mapper"]["data"] == read_file("make/success-body.json").rstrip("\n")
    assert (module["mapper"]["timeout"], module["mapper"]["method"]) == ("10", "post")


def test_what_the_blueprint_sends_is_taken(live_server: LiveServer, live_team: LiveTeam) -> None:
    blueprint = json.loads(read_file("make/blueprint.json", target_of(live_server, live_team)))
    mapper = blueprint["flow"][0]["mapper"]
    body = FUNCTION.sub("2026-01-15T09:31:00+00:00", mapper["data"])
    body = body.replace("{{var.execution.id}}", "1a2b3c")
    answer = requests.post(mapper["url"], data=body, headers=headers_of(mapper), timeout=10)
    assert answer.status_code == 202, answer.text
    assert "warnings" not in answer.json()


def test_the_blueprint_of_failures_has_the_form_of_the_first_and_leaves_the_run_failed() -> None:
    known = json.loads(read_file("make/blueprint.json"))
    blueprint = json.loads(read_file("make/failure-blueprint.json"))
    assert blueprint["metadata"] == known["metadata"] and blueprint.keys() == known.keys()
    (module,) = blueprint["flow"]
    report, end = module["onerror"]
    for each in (module, report):
        (same,) = known["flow"]
        assert (each["module"], each["version"]) == (same["module"], same["version"])
        assert each["parameters"].keys() == same["parameters"].keys()
        assert each["mapper"].keys() == same["mapper"].keys()
    assert module["parameters"]["handleErrors"] is True, "else it would not fail"
    assert (end["module"], end.keys()) == (
        "builtin:Rollback",
        known["flow"][0]["onerror"][0].keys(),
    )
    assert [each["id"] for each in (module, report, end)] == [1, 2, 3]


def test_what_the_blueprint_of_failures_sends_is_taken(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    target = target_of(live_server, live_team)
    module = json.loads(read_file("make/failure-blueprint.json", target))["flow"][0]
    mapper = module["mapper"]
    failed = requests.request(mapper["method"], mapper["url"], timeout=10)
    assert failed.status_code == 404, "its first module fails on purpose"
    reports = Reports(live_server, live_team)
    mapper = module["onerror"][0]["mapper"]
    assert mapper["data"] == f"{{{{{module['id']}.error.message}}}}"
    answer = requests.request(
        mapper["method"],
        mapper["url"].replace("{{var.execution.id}}", "1a2b3c"),
        data=AWKWARD.encode(),
        headers=headers_of(mapper),
        timeout=10,
    )
    assert answer.status_code == 202, answer.text
    (run,) = reports.wait(1)
    assert (run["outcome"], run["error_message"]) == ("failure", AWKWARD)
    assert (run["external_execution_id"], run["source_platform"]) == ("1a2b3c", "make")
    assert run["warnings"] is None


def test_what_create_json_makes_of_the_sample_is_taken(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    sample = json.loads(read_file("make/failure-sample.json", target_of(live_server, live_team)))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    sample |= {"ended_at": now, "error_message": AWKWARD, "external_execution_id": "4f5e6d"}
    reports = Reports(live_server, live_team)
    answer = live_server.post("/api/v1/ingest/run-failure", json=sample, headers=live_team.headers)
    assert answer.status_code == 202, answer.text
    (run,) = reports.wait(1)
    assert (run["outcome"], run["error_message"], run["error_type"]) == (
        "failure",
        AWKWARD,
        sample["error_type"],
    )
    assert (run["external_execution_id"], run["warnings"]) == ("4f5e6d", None)


def test_what_the_tables_for_zapier_say_is_taken(
    live_server: LiveServer, live_team: LiveTeam
) -> None:
    document = read_page("zapier")
    assert document
    tables = [block.rows[1:] for block in document.blocks if block.kind == "table"]
    assert len(tables) == 2
    for rows in tables:
        fields = {name.replace("`", ""): value.strip("`") for name, value in rows}
        data = {n.removeprefix("Data "): v for n, v in fields.items() if n.startswith("Data ")}
        data |= {"ended_at": "2026-01-15T18:07:48+00:00", "workflow_id": live_team.workflow_id}
        path = fields["URL"].removeprefix("https://flowpulse.example.org")
        answer = live_server.post(path, json=data, headers=live_team.headers)
        assert answer.status_code == 202, answer.text
        assert "warnings" not in answer.json()

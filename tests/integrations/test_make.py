"""Make and Zapier, as far as they can be tried without their makers' clouds."""

import json
import re

import pytest
import requests

from app.console.integration_files import read_file
from app.console.integrations import read_page
from tests.integrations.running import target_of
from tests.server import LiveServer
from tests.teams import LiveTeam

pytestmark = pytest.mark.once
FUNCTION = re.compile(r"\{\{formatDate\(.*?\)\}\}")


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
    headers = {each["name"]: each["value"] for each in mapper["headers"]}
    headers["Content-Type"] = mapper["contentType"]
    answer = requests.post(mapper["url"], data=body, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text
    assert "warnings" not in answer.json()


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

"""The contract's 468 requests, sent to the real server byte by byte, on both databases."""

import base64
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.described import find_undescribed
from tests.server import LiveServer
from tests.teams import LiveTeam

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "corpus" / "cases.jsonl").read_text().splitlines()
]
DEFAULT_HEADERS = {"host", "content-length"}


def test_all_cases_are_there() -> None:
    assert len(CASES) == 468


def fill_in(text: str, team: LiveTeam) -> str:
    for mark, value in (
        ("__KEY__", team.key),
        ("__SLUG__", team.slug),
        ("__ID__", team.workflow_id),
        ("__NAME__", team.name),
        ("__OTHER__", team.other_slug),
    ):
        text = text.replace(mark, value)
    return text


def send(server: LiveServer, case: dict[str, Any], team: LiveTeam) -> tuple[int, Any, bytes]:
    """Headers go as they stand in the case, twice the same name and raw bytes included."""
    raw = fill_in(base64.b64decode(case["body_base64"]).decode("latin-1"), team)
    body = raw.encode("latin-1")
    address = urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    connection.putrequest(
        case["method"], case["path"].replace("__KEY__", team.key), skip_accept_encoding=True
    )
    for name, value in case["headers"]:
        connection.putheader(name, fill_in(value, team).encode("latin-1"))
    if case["method"] != "HEAD":
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['name']}-{case['path'][20:31]}")
def test_a_case_is_answered_as_the_contract_asks(
    case: dict[str, Any], live_server: LiveServer, live_team: LiveTeam
) -> None:
    status, headers, content = send(live_server, case, live_team)
    assert status in [case["expect"], *case["also"]], content
    if case["method"] == "HEAD":
        return
    answer = json.loads(content)
    media_type = headers["Content-Type"]
    assert not find_undescribed(case["method"], case["path"], status, media_type, answer)
    if status == 202:
        assert answer["status"] == "accepted"
        assert headers["Location"] == f"/api/v1/events/{answer['event_id']}"
        assert headers["Content-Type"] == "application/json"
    else:
        assert headers["Content-Type"] == "application/problem+json"
        assert answer["status"] == status
        if case["field"]:
            assert case["field"] in [error["field"] for error in answer["errors"]]

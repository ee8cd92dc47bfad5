"""Copied code, run with a real key, makes the same row again: on the real server."""

import json
import subprocess
import sys

import pytest
import requests

from app.console.reproduction import LANGUAGES, StoredRequest
from tests.console.pages import Page
from tests.factories import PASSWORD
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam

RUNNERS = {
    "curl": ["bash"],
    "python": [sys.executable],
    "javascript": ["node", "--input-type=module"],
}
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "plain": (b'{"workflow_slug": "nope", "ended_at": "2026-01-15T09:31:00Z"}', {}),
    "quotes and lines": (b"{'it''s': \"$HOME `id` !! \\\\ \\n\",\n\n\"%s\": 1}\n", {}),
    "at sign": (b"@/etc/passwd", {}),
    "umlauts": ('{"a": "Müller 🎉 \u2028"}'.encode(), {}),
    "control": (b'{"a": "\x1b[31m\t\r\n"}', {}),
    "bytes": (bytes(range(256)), {}),
    "no type": (b"a=1&b=2", {"Content-Type": ""}),
    "form": (b"ended_at=x&a=%20", {"Content-Type": "application/x-www-form-urlencoded"}),
}


@pytest.fixture(scope="module")
def reader(live_server: LiveServer, live_team: LiveTeam) -> requests.Session:
    """The browser of the team's owner, as far as downloads go."""
    session = requests.Session()
    page = Page(session.get(f"{live_server.url}/sign-in").text)
    fields = {**page.form("/sign-in").fields, "email": live_team.email, "password": PASSWORD}
    session.post(f"{live_server.url}/sign-in", data=fields)
    return session


@pytest.mark.once
@pytest.mark.parametrize("language", RUNNERS)
@pytest.mark.parametrize("name", BODIES)
def test_pasted_code_reproduces_the_row(
    live_server: LiveServer, live_team: LiveTeam, reader: requests.Session, language: str, name: str
) -> None:
    body, extra = BODIES[name]
    headers = {"X-API-Key": "fp_your_key", "Content-Type": "application/json", **extra}
    headers = {key: value for key, value in headers.items() if value}
    url = f"{live_server.url}/api/v1/ingest/run-success"
    code = LANGUAGES[language][2](StoredRequest("POST", url, headers, body))
    code = code.replace("fp_your_key", live_team.key)
    done = subprocess.run(
        RUNNERS[language], input=code.encode(), capture_output=True, timeout=60, check=False
    )
    answer = done.stdout.decode()
    assert "{" in answer, done.stderr.decode()
    again = json.loads(answer[answer.index("{") :])
    sent = live_server.post(
        "/api/v1/ingest/run-success",
        data=body,
        headers={**live_team.headers, **{k: v for k, v in headers.items() if k != "X-API-Key"}},
    ).json()
    assert [again[part] for part in ("code", "detail")] == [sent["code"], sent["detail"]]
    event_id = again["event_id"]
    stored = wait_for(lambda: reader.get(f"{live_server.url}/events/{event_id}/body"))
    assert stored.content == body


N8N = """
const value = JSON.parse(require("fs").readFileSync(0, "utf8"));
const shown = value[0] === "="
  ? value.slice(1).replace(/{{([^]*?)}}/g, (_, code) => String(eval(code)))
  : value;
process.stdout.write(shown);
"""
"""What n8n makes of a parameter: after a =, all between {{ and the next }} is JavaScript."""


@pytest.mark.once
@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    "text",
    [
        '{"metadata": {"a": {}}}',
        "{{ $json.name }}",
        "={{ $json.name }}",
        '={"metadata": {"a": "}} {{ 1 }} \\" \\\\ \\u007d"}}',
        "=}}{{\n'`${1}\u2028ü🎉",
    ],
)
def test_a_pasted_n8n_node_sends_the_same_body(text: str) -> None:
    request = StoredRequest("POST", "http://x.example/", {"X-Note": text}, text.encode())
    (node,) = json.loads(LANGUAGES["n8n"][2](request))["nodes"]
    parameters = node["parameters"]
    assert parameters["rawContentType"] == "Application/JSON", "axios writes anew what it knows"
    (header,) = parameters["headerParameters"]["parameters"]
    for value in (parameters["body"], header["value"]):
        done = subprocess.run(
            ["node", "-e", N8N], input=json.dumps(value).encode(), capture_output=True, check=False
        )
        assert done.stdout.decode() == text, done.stderr.decode()

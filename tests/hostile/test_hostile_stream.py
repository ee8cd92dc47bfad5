"""The live log's stream can't be forged: as a browser reads it, it holds our rows and no more."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from html import unescape
from typing import NamedTuple

import pytest
import requests
from flask import Flask

from app.console.headers import PAGE_HEADERS
from app.console.notices import frame
from app.console.session_cookie import NAME
from app.workspaces.workflows import create_workflow
from tests.server import LiveServer
from tests.sessions import make_cookie
from tests.teams import LiveTeam, find_workspace, make_live_team

BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\r",
    "\r\n\r\n",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x0c",
    "\0",
]
FORGED = (
    "id: 999999{0}event: close{0}retry: 1{0}data: <b>forged</b>{0}{0}data: forged{0}: forged{0}{0}"
)


class Frame(NamedTuple):
    """A server-sent event."""

    event: str
    id: str
    data: str


def read_frames(text: str) -> Iterator[Frame]:
    """The stream as a browser takes it apart: lines end with LF, CR or both, and nothing else.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    kept: dict[str, list[str]] = {}
    for line in re.split("\r\n|\r|\n", text):
        if line:
            name, _, value = line.partition(":")
            kept.setdefault(name, []).append(value.removeprefix(" "))
            continue
        if kept:
            last = {name: values[-1] for name, values in kept.items()}
            yield Frame(last.get("event", ""), last.get("id", ""), "\n".join(kept.get("data", [])))
            assert kept.keys() <= {"id", "event", "data"}, kept
        kept = {}


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_a_row_is_one_frame_whatever_it_holds(line_break: str) -> None:
    html = f"<tr>{FORGED.format(line_break)}</tr>"
    (found,) = read_frames(frame(html, 7))
    assert (found.event, found.id) == ("", "7")
    assert found.data.split() == " ".join(html.splitlines()).split()


@pytest.mark.once
def test_no_field_of_an_event_forges_a_frame(
    make_server: Callable[..., LiveServer], app: Flask
) -> None:
    """All that a row may show: names, messages, ids, platforms, headers, paths, field names."""
    server = make_server(WEB_CONCURRENCY="1", worker=False)
    team = make_live_team(server)
    with app.app_context():
        workspace_id = find_workspace(team).id
        named = [create_workflow(workspace_id, f"{n} {FORGED[:60]}", f"n-{n}") for n in range(1)]
        cookie = make_cookie(app, team.email)
        slugs = [each.slug for each in named]
    rows = list(read_rows(server, cookie, lambda: send(server, team, slugs)))
    sent = [each for each in rows if not each.event]
    assert {each.event for each in rows} <= {"", "beat"}
    ids = [int(each.id) for each in sent]
    assert ids == sorted(set(ids)) and 999999 not in ids
    for each in sent:
        opened = re.findall(r"<tr id=\"event-([a-z0-9]{24})\"", each.data)
        assert len(set(opened)) == 1, each.data
        assert "<b>forged" not in each.data
    assert any("forged" in unescape(each.data) for each in sent)


def send(server: LiveServer, team: LiveTeam, slugs: list[str]) -> int:
    """Requests of each kind, with each line break in each field; returns how many."""
    count = 0
    for number, line_break in enumerate(BREAKS):
        text = FORGED.format(line_break)
        plain = text.replace("\0", "")
        fields = {
            "workflow_slug": [team.slug, *slugs][number % (1 + len(slugs))],
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": f"{number} {plain}"[:255],
            "correlation_id": plain[:255],
            "source_platform": plain[:64],
            "metadata": {plain: plain},
            text: text,
        }
        failed = {**fields, "error_message": text, "error_type": plain[:255]}
        wrong = {**failed, "ended_at": text, "started_at": text, "workflow_slug": text[:200]}
        for body in (json.dumps(fields), json.dumps(failed), json.dumps(wrong), text):
            headers = {**team.headers, "Idempotency-Key": f"{number}-{count}"}
            answer = server.post("/api/v1/ingest/run-failure", data=body.encode(), headers=headers)
            assert answer.status_code in (202, 400, 404), answer.text
            count += 1
        path = requests.utils.quote(f"/api/v1/ingest/{plain}", safe="/")
        assert server.post(path, data=b"{}", headers=team.headers).status_code == 404
        count += 1
    return count


def read_rows(server: LiveServer, cookie: str, act: Callable[[], int]) -> Iterator[Frame]:
    """What an open stream tells, from before the act until all that it sent has come."""
    cookies = {NAME: cookie}
    with requests.get(
        f"{server.url}/events/stream?after=0", cookies=cookies, stream=True, timeout=20
    ) as stream:
        assert stream.status_code == 200
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert stream.headers["Cache-Control"] == "no-store"
        assert PAGE_HEADERS.items() <= stream.headers.items()
        expected: list[int] = []
        sender = threading.Thread(target=lambda: expected.append(act()))
        sender.start()
        text, seen = "", 0
        for piece in stream.iter_content(None):
            text += piece.decode()
            seen = len(re.findall(r"^id: \d+$", text, re.MULTILINE))
            if expected and seen >= expected[0]:
                break
        sender.join()
    yield from read_frames(text)

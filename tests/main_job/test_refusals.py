"""On the real server: each kind of refusal is in the log within moments; twins are one event."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.main_job.visitors import send_form, sign_in
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

PATH = "/api/v1/ingest/run-success"
LOGGED_WITHIN_SECONDS = 2


@pytest.fixture
def server(live_server: LiveServer) -> LiveServer:
    return live_server


@pytest.fixture
def team(own_team: LiveTeam) -> LiveTeam:
    return own_team


def refuse(server: LiveServer, team: LiveTeam) -> dict[str, requests.Response]:
    """One request for each code that a sender with a key can bring about."""
    good = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    headers, twice = team.headers, {**team.headers, "Idempotency-Key": "once"}
    form = send_form(sign_in(server, team), server, "/keys", name="reader", scope=["read"])
    reading = re.findall(r"fp_[0-9A-Za-z]{36}", form.text)[0]
    server.post(PATH, json=good, headers=twice)
    return {
        "validation_failed": server.post(PATH, json={}, headers=headers),
        "invalid_json": server.post(PATH, data="{", headers=headers),
        "workflow_not_found": server.post(
            PATH, json={**good, "workflow_slug": "nope"}, headers=headers
        ),
        "insufficient_scope": server.post(PATH, json=good, headers={"X-API-Key": reading}),
        "method_not_allowed": server.get(PATH, headers=headers),
        "not_found": server.post("/api/v1/nope", json=good, headers=headers),
        "unsupported_encoding": server.post(
            PATH, data=b"x", headers={**headers, "Content-Encoding": "gzip"}
        ),
        "body_too_large": server.post(PATH, data=b" " * 1_048_577, headers=headers),
        "idempotency_key_reused": server.post(PATH, json={**good, "duration_ms": 1}, headers=twice),
    }


def test_each_refusal_is_in_the_log_within_two_seconds(server: LiveServer, team: LiveTeam) -> None:
    answers = refuse(server, team)
    for code, answer in answers.items():
        assert answer.json()["code"] == code
    sent_at = time.monotonic()

    def codes() -> set[str]:
        params = {"status": "rejected", "limit": 200}
        events = server.get("/api/v1/events", params=params, headers=team.headers).json()["data"]
        return {event["code"] for event in events}

    wait_for(lambda: codes() >= answers.keys(), seconds=LOGGED_WITHIN_SECONDS)
    assert time.monotonic() - sent_at < LOGGED_WITHIN_SECONDS


@pytest.mark.once
def test_a_key_that_is_unknown_or_sends_too_fast_is_logged_too(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(worker=False, FLOWPULSE_RATE_LIMIT="1", WEB_CONCURRENCY="1")
    team = make_live_team(server)
    unknown = server.post(PATH, json={}, headers={"X-API-Key": "fp_" + "x" * 36})
    assert unknown.status_code == 401
    answers = [server.post(PATH, json={}, headers=team.headers) for _ in range(14)]
    too_fast = [each for each in answers if each.json()["code"] == "rate_limited"]
    assert too_fast
    owner = sign_in(server, team)
    for code, answer in (("malformed_api_key", unknown), ("rate_limited", too_fast[0])):
        row = f'id="event-{answer.json()["event_id"]}"'
        log = f"{server.url}/events?code={code}"
        wait_for(lambda log=log, row=row: row in owner.get(log).text, LOGGED_WITHIN_SECONDS)


def test_a_hundred_twins_over_two_processes_are_one_event(
    server: LiveServer, team: LiveTeam
) -> None:
    fields = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    headers = {**team.headers, "Idempotency-Key": "twin"}
    assert len(server.web_pids()) == 2

    def send(number: int) -> Any:
        return server.post(PATH, json=fields, headers=headers)

    with ThreadPoolExecutor(25) as senders:
        answers = list(senders.map(send, range(100)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["event_id"] for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotent-Replayed" in answer.headers]
    assert len(replayed) == 99
    events = server.get("/api/v1/events", headers=team.headers).json()["data"]
    assert len(events) == 1

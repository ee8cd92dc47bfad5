"""What one batch may cost the others: of the processor, of the disk, and of the room in the log."""

import difflib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.ingest.suggestions import closest_slug
from app.models import UnstoredCount, Workflow
from tests.factories import Team, make_team
from tests.ingest.batch_sending import good, logged, send_batch


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@contextmanager
def counted(name: str) -> Iterator[list[Any]]:
    """The calls of one of difflib's methods."""
    calls: list[Any] = []
    as_ever = getattr(difflib.SequenceMatcher, name)

    def count(matcher: Any) -> Any:
        calls.append(matcher)
        return as_ever(matcher)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difflib.SequenceMatcher, name, count)
        yield calls


# --- suggestions ----------------------------------------------------------------------------------


def test_the_same_wrong_workflow_is_compared_with_the_others_once(
    client: FlaskClient, team: Team
) -> None:
    wrong = good(team, workflow_slug="lead-enrichmnt")
    with counted("quick_ratio") as for_one:
        assert send_batch(client, team, good(team), wrong).status_code == 207
    with counted("quick_ratio") as for_many:
        answer = send_batch(client, team, good(team), *[wrong] * 30)
    assert len(for_one) > 0
    assert len(for_many) == len(for_one)
    told = [each["detail"] for each in answer.json["events"][1:]]
    assert len(told) == 30 and all("'lead-enrichment'" in detail for detail in told)


def test_only_so_many_different_wrong_workflows_bring_a_suggestion(
    client: FlaskClient, team: Team
) -> None:
    wrong = [good(team, workflow_slug=f"lead-enrichment-{n}") for n in range(40)]
    answer = send_batch(client, team, good(team), *wrong, wrong[0])
    told = [each["detail"] for each in answer.json["events"][1:]]
    suggested = ["Did you mean" in detail for detail in told]
    assert suggested == [True] * 20 + [False] * 20 + [True]
    assert "Create it under Workflows" in told[20]


def test_few_of_many_workflows_are_compared_in_full(client: FlaskClient, team: Team) -> None:
    slugs = [f"nightly-{'abcdefgh'[n % 8] * 3}-{n:03}" for n in range(300)]
    with writing() as session:
        session.add_all(
            Workflow(workspace_id=team.workspace_id, name=slug.title(), slug=slug) for slug in slugs
        )
    with counted("ratio") as calls:
        answer = send_batch(client, team, good(team, workflow_slug="nightly-ccc-2100"))
    assert "'nightly-ccc-210'" in answer.json["detail"]
    assert 0 < len(calls) < 30


@pytest.mark.parametrize(
    "value",
    ["lead-enrichmnt", "Lead Enrichment", "sync", "ysnc", "x" * 300, "", "invoice sync (copy)"],
)
def test_the_suggestion_is_that_of_difflib(value: str) -> None:
    slugs = [
        "lead-enrichment",
        "lead-enricher",
        "sync",
        "sync-2",
        "sync-3",
        "invoice-sync",
        "x" * 99,
    ]
    known = [(slug, slug.replace("-", " ").title()) for slug in slugs]
    texts = {text.lower(): slug for slug, name in known for text in (name, slug)}
    close = difflib.get_close_matches(value[:255].lower(), texts, n=1, cutoff=0.6)
    assert closest_slug(value, known) == (texts[close[0]] if close else None)


# --- headers --------------------------------------------------------------------------------------

MANY = {f"X-Note-{n}": "x" * 8_000 for n in range(90)}


def test_a_large_head_is_not_stored_with_each_event(client: FlaskClient, team: Team) -> None:
    short = {"User_Agent": "n8n", "X_Request_Id": "r-1", "X_Other": "y"}
    long = {"X_Forwarded_For": "192.0.2.1, " * 700}
    events = [good(team, idempotency_key="a"), good(team), good(team, ended_at=None)]
    assert send_batch(client, team, *events, **short, **long, **MANY).status_code == 207
    for event in logged():
        headers = dict(event.headers)
        assert len(json.dumps(event.headers)) < 5_000
        assert (headers["User-Agent"], headers["X-Request-Id"]) == ("n8n", "r-1")
        assert headers["Content-Type"] == "application/json"
        assert set(headers["X-Api-Key"]) == {"•"}
        assert not {"X-Other", "X-Forwarded-For", "X-Note-0"} & headers.keys()
    keys = [dict(event.headers).get("Idempotency-Key") for event in logged()]
    assert keys == ["a", None, None]


def test_a_small_head_is_kept_whole(client: FlaskClient, team: Team) -> None:
    assert send_batch(client, team, good(team), X_Other="y" * 3_000).status_code == 202
    (event,) = logged()
    assert dict(event.headers)["X-Other"] == "y" * 3_000


def test_the_events_of_a_batch_share_the_text_of_their_headers(
    client: FlaskClient, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, sent = ingest_service().batches, []
    record_as_ever = batches.record

    def record(entries: Any) -> Any:
        sent.extend(entries)
        return record_as_ever(entries)

    monkeypatch.setattr(batches, "record", record)
    assert send_batch(client, team, *[good(team)] * 50, X_Other="y").status_code == 202
    assert len(sent) == 50
    assert len({id(entry.event.headers) for entry in sent}) == 1


def test_the_head_of_a_single_event_is_kept_within_bounds_too(
    client: FlaskClient, team: Team
) -> None:
    fields = {name: value for name, value in good(team).items() if name != "kind"}
    for many in (MANY, dict(list(MANY.items())[:7])):
        headers = {**team.headers, "User-Agent": "n8n", **many}
        answer = client.post("/api/v1/ingest/run-success", json=fields, headers=headers)
        assert answer.status_code == 202
    large, small = (dict(event.headers) for event in logged())
    assert "X-Note-0" not in large and "X-Note-6" in small
    assert large["User-Agent"] == "n8n" and large["Content-Length"] == small["Content-Length"]


# --- room in the log ------------------------------------------------------------------------------


def test_a_batch_leaves_the_others_three_quarters_of_the_room_in_the_log(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(FLOWPULSE_REJECTED_RATE=40, WEB_CONCURRENCY=2)
    with app.app_context():
        client, team, other = app.test_client(), make_team(), make_team("Other", first=False)
        limits = ingest_service().limits
        limits._clock = lambda: 1_800_000_000.0
        events = [good(team), *[good(team, ended_at=None)] * 100, good(team)]
        answer = send_batch(client, team, *events)
        assert (answer.json["accepted"], answer.json["refused"]) == (2, 100)
        refused = [each for each in answer.json["events"] if each["status"] == 400]
        assert ["event_id" in each for each in refused] == [True] * 5 + [False] * 95
        alone = [send_batch(client, other, good(other, ended_at=None)) for _ in range(16)]
        assert ["event_id" in each.json["events"][0] for each in alone] == [True] * 15 + [False]
        limits.sync()
        counted = {each.workspace_id: each.count for each in db.session.query(UnstoredCount)}
        assert counted == {team.workspace_id: 95, other.workspace_id: 1}
        db.session.remove()


@pytest.mark.parametrize(("rate", "stored"), [(0, 0), (1, 1), (3, 1), (200, 50)])
def test_a_batch_may_store_one_refusal_where_any_is_stored(
    make_app: Callable[..., Flask], rate: int, stored: int
) -> None:
    app = make_app(FLOWPULSE_REJECTED_RATE=rate, WEB_CONCURRENCY=1)
    with app.app_context():
        assert ingest_service().limits.stored_of_batch == stored
        db.session.remove()

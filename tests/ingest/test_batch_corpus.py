"""What an event is answered in a batch, beside what it is answered alone; and nothing breaks it."""

import base64
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.clock import now
from app.extensions import db
from app.ingest import intake
from app.ingest.batch_places import PATH
from app.ingest.schemas import EVENT_KINDS
from app.processing.batch import process_batch
from tests.factories import Team, make_team
from tests.ingest.batch_sending import logged
from tests.ingest.test_fuzz_validation import EVENT, MEDIA, change_bytes, change_values, make_value

CORPUS = Path(__file__).parents[1] / "corpus" / "cases.jsonl"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000")) // 10
"""Batches of some events each, on each database."""
UNREADABLE = "invalid_json"
ITS_OWN = ("event_id", "inspect")


def read_events(team: Team) -> Iterator[str]:
    """The corpus's bodies that are JSON objects, whatever address they are meant for: what is good
    for one kind is missing a field for another. What can't be read is refused as a whole."""
    for line in CORPUS.read_text("utf-8").splitlines():
        body = base64.b64decode(json.loads(line)["body_base64"])
        for mark, value in (
            (b"__SLUG__", team.slug),
            (b"__ID__", team.workflow_public_id),
            (b"__NAME__", team.name),
            (b"__OTHER__", "other"),
        ):
            body = body.replace(mark, value.encode())
        try:
            text = body.decode().strip()
            members = json.loads(text)
        except ValueError:
            continue
        if isinstance(members, dict) and not {"kind", "idempotency_key"} & members.keys():
            yield text


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_an_event_of_the_corpus_is_answered_in_a_batch_as_it_is_alone(
    make_app: Callable[..., Flask], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = now()
    monkeypatch.setattr(intake, "now", lambda: at)  # Some answers name the server's clock.
    app = make_app(FLOWPULSE_RATE_LIMIT=0, FLOWPULSE_REJECTED_RATE=1_000_000)
    with app.app_context():
        client, team = app.test_client(), make_team()
        headers = {**team.headers, "Content-Type": "application/json"}
        texts = list(dict.fromkeys(read_events(team)))
        alone = [send_alone(client, headers, kind, text) for text in texts]
        readable = [(t, a) for t, a in zip(texts, alone, strict=True) if a["code"] != UNREADABLE]
        assert len(readable) > 150
        for start in range(0, len(readable), 100):
            compare(client, headers, kind, readable[start : start + 100])
        compare_logs()
        db.session.remove()


def send_alone(client: FlaskClient, headers: Any, kind: str, text: str) -> dict[str, Any]:
    answer = client.post(f"/api/v1/ingest/{kind}", data=text.encode(), headers=headers)
    assert answer.status_code == 202 or answer.status_code == answer.json["status"]
    return {"code": None, **answer.json, "status": answer.status_code}


def compare(
    client: FlaskClient, headers: Any, kind: str, readable: list[tuple[str, dict[str, Any]]]
) -> None:
    """What can't be read is left out: it would have the whole batch refused."""
    events = [put_first(f'"kind": "{kind}"', text) for text, _ in readable]
    body = '{"events": [' + ",".join(events) + "]}"
    answer = client.post(PATH, data=body.encode(), headers=headers)
    for (text, one), other in zip(readable, answer.json["events"], strict=True):
        assert as_alone(strip({"code": None, **other})) == strip(one), text


def put_first(member: str, text: str) -> str:
    comma = "," if json.loads(text) else ""
    return text.replace("{", "{" + member + comma, 1)


def strip(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ITS_OWN}


def as_alone(value: Any) -> Any:
    """In a batch, another kind is another `kind`; alone, it is another address."""
    return json.loads(json.dumps(value).replace("set kind to run-", "send it to run-"))


def compare_logs() -> None:
    """Each event was kept twice, and the same was kept."""
    kept: dict[bool, list[Any]] = {True: [], False: []}
    for event in logged():
        if event.code != UNREADABLE:
            said = (event.state, event.code, event.detail, event.workflow_id, event.reference)
            more = (
                event.payload,
                as_alone(event.warnings),
                event.errors,
                event.fingerprint,
                event.platform,
            )
            kept["#/events/" in event.path].append(json.dumps([*said, *more], sort_keys=True))
    assert sorted(kept[True]) == sorted(kept[False])


# --- whatever is sent -----------------------------------------------------------------------------


@pytest.mark.timeout(7_200)
def test_no_batch_yields_a_500_and_what_was_accepted_can_be_processed(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(FLOWPULSE_RATE_LIMIT=0)
    with app.app_context():
        fuzz(app.test_client(), make_team())
        db.session.remove()


def fuzz(client: FlaskClient, team: Team) -> None:
    assert team.slug == EVENT["workflow_slug"]
    first = random.SystemRandom().randrange(2**62)
    for seed in range(first, first + EXAMPLES):
        chance = random.Random(seed)
        headers = {**team.headers, "Content-Type": chance.choice(MEDIA) or ""}
        if chance.random() < 0.2:
            headers["Idempotency-Key"] = chance.choice(["a", "b" * 250, "c" * 300, "\xe9"])
        answer = client.post(PATH, data=make_batch(chance, seed), headers=headers)
        assert answer.status_code in {202, 207, 400, 404, 422}, f"seed {seed}: {answer.text}"
        for each in answer.json.get("events", ()):
            assert each["status"] in {202, 400, 404, 422}, f"seed {seed}: {each}"
            assert "event_id" in each or each["status"] != 202, f"seed {seed}: {each}"
    while process_batch(200):
        pass
    failed = client.get("/api/v1/events?status=failed", headers=team.headers).json["data"]
    waiting = client.get("/api/v1/events?status=accepted", headers=team.headers).json["data"]
    assert (failed, waiting) == ([], [])


def make_batch(chance: random.Random, seed: int) -> bytes:
    if chance.random() < 0.1:
        return change_bytes(seed).replace(b"metadata", b"events")
    events = [make_event(chance, seed * 100 + place) for place in range(chance.randrange(1, 9))]
    whole: Any = {"events": events}
    if chance.random() < 0.1:
        whole = chance.choice([events, {"events": make_value(chance)}, {"batch": events}])
    text = json.dumps(whole, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.1:
        text = chance.choice([json.dumps(text), json.dumps({"events": json.dumps(events)})])
    return text.encode("utf-8", chance.choice(["surrogatepass", "replace"]))


def make_event(chance: random.Random, seed: int) -> Any:
    if chance.random() < 0.1:
        return make_value(chance)
    try:
        event = json.loads(change_values(seed))
    except ValueError:
        return change_values(seed).decode("utf-8", "replace")
    if isinstance(event, dict):
        kinds = [*EVENT_KINDS, *EVENT_KINDS, "run_success", make_value(chance)]
        event["kind"] = chance.choice(kinds)
        if chance.random() < 0.3:
            event["idempotency_key"] = chance.choice(["a", "a", make_value(chance)])
    return event if chance.random() < 0.9 else json.dumps(event)

"""The filter finds in SQL what a plain reading of each event finds, on both databases."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import undefer

from app.clock import now
from app.console.event_filter import PARAMETERS, EventFilter, read_filter
from app.console.event_search import find_exact, search
from app.console.event_text import BODY_BYTES
from app.extensions import db, writing
from app.models import STATES, ApiKey, Event, Workflow
from app.problems import PROBLEMS
from app.workspaces.api_keys import create_api_key
from app.workspaces.workflows import create_workflow
from tests.factories import Team, make_team

HOSTILE = [
    "%", "_", "\\", "'", '"', "\\\\", "%%", "a_b", "\\000", "303", "134", "\0", "a\0b",
    "; DROP TABLE", "é", "É", "日本", "💥", "\u202e", "\ufffd", "ÿ", "<img src=x>", "{{ 7*7 }}",
    "\t", "A", "boom", "unauthorized", "Invalid API",
    "BOOM", 'say "hi"', "line\nbreak", "x" * 500,
]  # fmt: skip
PIECES = [*HOSTILE[:-1], "abc", "Timeout", " ", "0", "\\x", "\\303", "ß"]
CODES = [
    "workflow_not_found", "validation_failed", "invalid_json", "unknown_api_key", "expired_api_key",
]  # fmt: skip
SAID = {"unknown_api_key": "unauthorized", "expired_api_key": "unauthorized"}
"""What a sender was told, where that is less than the log says."""


def text(random: Random, most: int = 4) -> str:
    return "".join(random.choices(PIECES, k=random.randint(0, most)))


def body(random: Random) -> bytes:
    filler = random.choice(
        [b"", b"", b"\xff\x00\xfe", b"\xc3", bytes(range(256)), b"y" * BODY_BYTES]
    )
    return filler + text(random).encode() + random.choice([b"", b"\x00", b"\xe2\x82"])


def storable(value: str) -> str:
    return value.replace("\0", "\ufffd")


@pytest.fixture
def events(app: Flask, team: Team) -> list[Event]:
    """300 events of all kinds, their times not in the order of their ids."""
    random = Random(7)
    workflows = [team.workflow_id, create_workflow(team.workspace_id, "Other").id, None]
    keys = [team.api_key_id, create_api_key(team.workspace_id, "other")[0].id, None]
    with writing() as session:
        session.add_all(make(random, team, workflows, keys) for _ in range(300))
    query = db.select(Event).options(undefer(Event.body), undefer(Event.payload))
    return list(db.session.scalars(query.order_by(Event.id)))


def make(random: Random, team: Team, workflows: list[Any], keys: list[Any]) -> Event:
    state = random.choice(STATES)
    is_rejected = state == "rejected"
    entry = {"field": "ended_at", "code": "missing", "message": storable(text(random))}
    received_at = now() - timedelta(minutes=random.randint(0, 20_000))
    return Event(
        workspace_id=random.choice([team.workspace_id] * 5 + [None]),
        workflow_id=random.choice(workflows),
        api_key_id=random.choice(keys),
        received_at=received_at,
        next_attempt_at=received_at if state == "accepted" else None,
        state=state,
        kind=random.choice(["run-success", "run-failure", None]),
        platform=random.choice(["n8n", "make", None]),
        method="POST",
        path="/api/v1/ingest/run-success",
        headers=[],
        body=body(random),
        status=400 if is_rejected else 202,
        code=random.choice(CODES) if is_rejected else None,
        detail=storable(text(random)) if is_rejected else None,
        errors=[entry] if is_rejected and random.random() < 0.7 else None,
        warnings=[entry] if not is_rejected and random.random() < 0.3 else None,
        took_ms=1.0,
        sent_by=random.choice([None, None, None, "ana@example.org"]),
        reference=storable(text(random)) if is_rejected else None,
        execution_id=random.choice([None, "run_1", "RUN%2"]) if is_rejected else None,
        correlation_id=random.choice([None, "c-1"]) if is_rejected else None,
        fingerprint=random.choice(["0123456789abcdef", "f" * 16]) if is_rejected else None,
        failure=storable(text(random)) if state in ("accepted", "failed") else None,
        payload=None if is_rejected else {"error_message": storable(text(random)), "n": 1},
    )


# --- the same in plain Python -------------------------------------------------------------------


def lower(value: str) -> str:
    return "".join(chr(ord(sign) + 32) if "A" <= sign <= "Z" else sign for sign in value)


def as_json(value: Any) -> str:
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def codes_of(event: Event) -> set[str]:
    return {event.code, SAID.get(event.code, event.code)} if event.code else set()


def holds(event: Event, sought: str) -> bool:
    plain = [
        event.public_id, event.execution_id, event.correlation_id, event.reference, event.code,
        event.detail, event.failure, *(PROBLEMS[code].title for code in codes_of(event)),
        *codes_of(event),
    ]  # fmt: skip
    written = [as_json(event.errors), as_json(event.warnings), as_json(event.payload)]
    return (
        any(lower(sought) in lower(each) for each in plain if each)
        or any(lower(json.dumps(sought)[1:-1]) in lower(each) for each in written)
        or sought.encode().lower() in event.body[:BODY_BYTES].lower()
    )


def has_code(event: Event, code: str) -> bool:
    entries = [*(event.errors or []), *(event.warnings or [])]
    return code in codes_of(event) or any(entry["code"] == code for entry in entries)


def has_key(event: Event, key: str) -> bool:
    if key == "none":
        return event.state == "rejected" and not event.api_key and not event.sent_by
    return bool(event.api_key and event.api_key.public_id == key)


def moment(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


PERIODS = {"15m": 15, "1h": 60, "24h": 1_440, "7d": 10_080}
PLAIN: dict[str, Callable[[Event, str], bool]] = {
    "state": lambda event, value: event.state == value,
    "q": holds,
    "outcome": lambda event, value: event.kind == f"run-{value}",
    "code": has_code,
    "workflow": lambda event, value: bool(event.workflow and event.workflow.public_id == value),
    "key": has_key,
    "by": lambda event, value: (event.origin is None) == (value == "senders"),
    "platform": lambda event, value: event.platform == value.lower(),
    "period": lambda event, value: (
        event.received_at >= now() - timedelta(minutes=PERIODS[value], seconds=-20)
    ),
    "since": lambda event, value: event.received_at >= moment(value),
    "until": lambda event, value: event.received_at < moment(value),
    "problem": lambda event, value: event.fingerprint == value,
}


def choose(random: Random, name: str) -> str:
    values: dict[str, Callable[[], str]] = {
        "state": lambda: random.choice(STATES),
        "q": lambda: text(random, 2) or random.choice(HOSTILE),
        "outcome": lambda: random.choice(["success", "failure"]),
        "code": lambda: random.choice([*CODES, "missing", "blank", "unauthorized"]),
        "workflow": lambda: random.choice(list(db.session.scalars(db.select(Workflow.public_id)))),
        "key": lambda: random.choice([*db.session.scalars(db.select(ApiKey.public_id)), "none"]),
        "by": lambda: random.choice(["senders", "people"]),
        "platform": lambda: random.choice(["n8n", "MAKE", "zapier"]),
        "period": lambda: random.choice(list(PERIODS)),
        "since": lambda: f"{now() - timedelta(minutes=random.randint(0, 20_000)):%Y-%m-%dT%H:%M}",
        "until": lambda: f"{now() - timedelta(minutes=random.randint(0, 20_000)):%Y-%m-%dT%H:%M}",
        "problem": lambda: random.choice(["0123456789abcdef", "f" * 16, "0" * 16]),
    }
    return values[name]()


def found(team: Team, wanted: EventFilter, **options: Any) -> list[int]:
    return search([team.workspace_id, None], wanted, 1_000, seconds=None, **options).ids


def test_every_parameter_has_a_plain_counterpart() -> None:
    assert set(PLAIN) == set(PARAMETERS)


def test_sql_finds_what_a_plain_reading_finds(team: Team, events: list[Event]) -> None:
    random = Random(11)
    for number in range(250):
        names = random.sample(list(PLAIN), k=random.choice([1, 1, 2, 3]))
        given = {name: value for name in names if (value := choose(random, name)).strip()}
        wanted = read_filter(given, team.workspace_id)
        assert not wanted.errors, wanted.errors
        expected = [
            event.id
            for event in reversed(events)
            if all(PLAIN[name](event, value.strip()) for name, value in given.items())
        ]
        assert found(team, wanted) == expected, (number, given)


def test_hostile_text_is_nothing_but_text(team: Team, events: list[Event]) -> None:
    for sought in (each.strip() for each in HOSTILE if each.strip()):
        wanted = read_filter({"q": sought}, team.workspace_id)
        expected = [each.id for each in reversed(events) if holds(each, sought)]
        assert found(team, wanted) == expected, sought
        find_exact([team.workspace_id, None], sought, wanted.conditions())


def test_pages_in_both_directions_hold_each_event_once(team: Team, events: list[Event]) -> None:
    scope = [team.workspace_id, None]
    for given in ({"outcome": "failure"}, {"state": "rejected"}, {"q": "a"}):
        wanted = read_filter(given, team.workspace_id)
        everything, down, before = found(team, wanted), [], None
        while page := search(scope, wanted, 20, before).ids:
            down += page
            before = page[-1]
        assert down == everything
        up, after = [], 0
        while page := search(scope, wanted, 20, after=after).ids:
            up += page
            after = page[-1]
        assert up == everything[::-1]


def test_a_search_without_time_says_where_it_stopped_and_goes_on_from_there(
    team: Team, events: list[Event]
) -> None:
    scope = [team.workspace_id, None]
    with writing() as session:
        session.add_all(make(Random(3), team, [None], [None]) for _ in range(1_500))
    wanted = read_filter({"q": "boom", "outcome": "failure"}, team.workspace_id)
    everything, found_so_far, before, stops = found(team, wanted), [], None, 0
    while True:
        part = search(scope, wanted, 1_000, before, seconds=0)
        found_so_far += part.ids
        if part.stopped_at is None:
            break
        before, stops = part.stopped_at, stops + 1
    assert found_so_far == everything
    assert stops >= 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("state", "nonsense", "Choose one of"),
        ("code", "no_such_code", "no such code"),
        ("workflow", "nobody", "no workflow"),
        ("workflow", "\0", "no workflow"),
        ("key", "x" * 10_000, "no API key"),
        ("platform", "x" * 65, "at most 64"),
        ("period", "2y", "Choose one of"),
        ("since", "yesterday", "date and time"),
        ("until", "0001-01-01", "too far away"),
        ("until", "2026-13-01", "date and time"),
        ("problem", "XYZ", "16 digits"),
        ("q", "x" * 10_000, "at most 500"),
    ],
)
def test_a_value_that_can_not_be_read_is_told(team: Team, name: str, value: str, says: str) -> None:
    assert says in read_filter({name: value}, team.workspace_id).errors[name]


def test_a_workflow_or_key_of_another_team_can_not_be_asked_for(team: Team) -> None:
    other = make_team("Foreign", first=False)
    wanted = read_filter({"workflow": other.workflow_public_id}, team.workspace_id)
    assert "workflow" in wanted.errors


def test_an_id_is_found_at_once_however_old(team: Team, events: list[Event]) -> None:
    scope = [team.workspace_id, None]
    event = events[0]
    assert find_exact(scope, event.public_id, []) == [event.id]
    assert find_exact([team.workspace_id + 1], event.public_id, []) == []

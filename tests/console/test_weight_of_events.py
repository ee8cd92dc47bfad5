"""An event's page stays light whatever came, and the offending place stays in sight."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.ingest.service import ingest_service
from app.processing.batch import process_batch
from tests.console.pages import Page, open_page
from tests.console.refusals import store_refusals
from tests.console.test_weight import MOST_BYTES, name_at_length
from tests.factories import Team, failure

SAME = "<&>" * 85
pytestmark = pytest.mark.once

WRONG = ("started_at", "ended_at", "duration_ms", "external_execution_id", "metadata")


def many_short_lines(team: Team) -> bytes:
    """500 lines of a few signs each, with the mistake on the last one."""
    metadata = {f"k{number:03}": number for number in range(500)}
    body = failure(team, metadata=metadata) | {"ended_at": "yesterday"}
    return json.dumps(body, indent=1).encode()


def broken_at_the_end(team: Team) -> bytes:
    return many_short_lines(team)[:-2] + b",\n}"


def many_empty_lines(team: Team) -> bytes:
    return b"{" + b"\n" * 30_000 + b'"ended_at": 1' + b"\n" * 30_000 + b"}"


def many_wrong_keys(team: Team) -> bytes:
    """As many fields as are named, all of them wrong, each with all that is repeated of it."""
    wrong: dict[str, Any] = {name: ["&" * 500] for name in WRONG}
    unknown = {f"{'<&>' * 25}{number}": "&" * 500 for number in range(60)}
    return json.dumps({**failure(team), **wrong, **unknown}, indent=1).encode()


def deeply_nested(team: Team) -> bytes:
    metadata: dict[str, Any] = {}
    for _ in range(60):
        metadata = {"a": metadata, "b": [1, 2, {"c": [[], [[]]]}]}
    return json.dumps(failure(team, metadata=metadata, ended_at="now"), indent=4).encode()


def only_brackets(team: Team) -> bytes:
    return b'{"ended_at": "x", "metadata": {"a": [' + b"[]," * 20_000 + b"0]}}"


def only_quotes(team: Team) -> bytes:
    names = ",".join(f'"{number}":""' for number in range(7_000))
    return f'{{"ended_at": "x", "metadata": {{{names}}}}}'.encode()


def only_odd_names(team: Team) -> bytes:
    """Names that are nearly those of fields, and names that nobody knows."""
    names = [f"ended{'<&'[number % 2]}at{number}" for number in range(3_000)]
    return json.dumps(failure(team, ended_at="x") | dict.fromkeys(names, "&")).encode()


def only_signs_to_escape(team: Team) -> bytes:
    return json.dumps(failure(team, error_message="<&" * 30_000, ended_at="x")).encode()


def only_control_signs(team: Team) -> bytes:
    return b'{"ended_at": "x", "error_message": "' + b"\x01" * 60_000 + b'"}'


def only_pictures(team: Team) -> bytes:
    text = "💥é" * 9_000
    return json.dumps(failure(team, error_message=text, ended_at="x"), ensure_ascii=False).encode()


def no_text(team: Team) -> bytes:
    return b"\xff\xfe\xfd" * 21_000


def full_64_kb(team: Team) -> bytes:
    metadata = {f"key_{number}": [number, "<ü>", None] for number in range(2_000)}
    return json.dumps(failure(team, metadata=metadata, ended_at="x"), indent=2).encode()[:65_000]


def many_places(team: Team) -> bytes:
    """Names that are not known, far from each other, so that no part can hold them all."""
    far = "x" * 3_000
    unknown = {f"unknown_{number}": [far, "\n".join("<&>")] for number in range(19)}
    return json.dumps({**failure(team, ended_at="x"), **unknown}, indent=1).encode()


BODIES: tuple[Callable[[Team], bytes], ...] = (
    many_short_lines,
    broken_at_the_end,
    many_empty_lines,
    many_wrong_keys,
    many_places,
    deeply_nested,
    only_brackets,
    only_quotes,
    only_odd_names,
    only_signs_to_escape,
    only_control_signs,
    only_pictures,
    no_text,
    full_64_kb,
)


@pytest.mark.parametrize("make", BODIES, ids=lambda make: make.__name__)
def test_a_refused_events_page_stays_light_and_shows_the_offending_place(
    owner: FlaskClient, team: Team, make: Callable[[Team], bytes]
) -> None:
    event_id = send(owner, team, make(team))
    page = owner.get(f"/events/{event_id}").text
    assert len(page.encode()) <= MOST_BYTES
    follow_places(owner, page)
    resend = owner.get(f"/events/{event_id}/resend").text
    assert len(resend.encode()) <= MOST_BYTES
    follow_places(owner, resend)


def test_an_accepted_events_page_stays_light_with_all_that_can_be_warned_of(
    owner: FlaskClient, team: Team
) -> None:
    body = json.loads(many_wrong_keys(team))
    raw = json.dumps(
        {name: each for name, each in body.items() if name not in WRONG[2:]}
        | {
            "started_at": "2026-01-15T09:30:00Z",
            "ended_at": "2026-01-15T09:31:00Z",
            "external_execution_id": SAME,
        }
    ).encode()
    event_id = send(owner, team, raw)
    page = owner.get(f"/events/{event_id}").text
    assert page.count('<li class="finding') > 20
    assert len(page.encode()) <= MOST_BYTES
    follow_places(owner, page)


@pytest.mark.parametrize("sign", ["x", "&", "\x01", "💥", "\u202e"])
def test_an_accepted_event_and_its_run_stay_light_however_long_the_error_is(
    owner: FlaskClient, team: Team, sign: str
) -> None:
    name_at_length(team)
    long = {"source_platform": "<" * 64, "error_type": "&" * 255, "correlation_id": SAME}
    unknown = {f"{'<&>' * 25}{number}": sign * 500 for number in range(60)}
    metadata = {f"k{number:03}": sign * 400 for number in range(100)}
    body = failure(team, error_message=sign * 60_000, metadata=metadata, **long, **unknown)
    event_id = send(owner, team, json.dumps(body, indent=1, ensure_ascii=False).encode())
    page = open_page(owner, f"/events/{event_id}")
    assert "characters left out" in page.text
    run = next(link for link in page.links if link.startswith("/runs/") and "?" not in link)
    for path in (f"/events/{event_id}", run):
        answer = owner.get(path)
        assert len(answer.data) <= MOST_BYTES, path
        assert f"{run}/texts" in Page(answer.text).links
    whole = owner.get(f"{run}/texts")
    assert "attachment" in whole.headers["Content-Disposition"] and whole.json
    assert (whole.json["error_message"], whole.json["metadata"]) == (sign * 60_000, metadata)


def test_a_page_that_offers_many_workflows_stays_light(owner: FlaskClient, team: Team) -> None:
    name_at_length(team)
    metadata = {f"k{number:03}": number for number in range(500)}
    body = failure(team, workflow_slug="lead", metadata=metadata, correlation_id=SAME)
    event_id = send(owner, team, json.dumps(body, indent=1).encode())
    page = owner.get(f"/events/{event_id}").text
    assert page.count("<option") > 100
    assert len(page.encode()) <= MOST_BYTES


def test_headers_that_a_page_cuts_are_downloaded_whole(owner: FlaskClient, team: Team) -> None:
    event_id = send(owner, team, b"{")
    page = open_page(owner, f"/events/{event_id}")
    assert "of 9" in page.text and "long values are cut" in page.text
    assert "Content-Type application/json" in page.text
    text = owner.get(f"/events/{event_id}/headers").text
    assert "X-Header-89: " + "<&" * 150 in text and "X-Api-Key: •" in text


def test_a_long_body_can_be_read_to_its_end_part_by_part(owner: FlaskClient, team: Team) -> None:
    raw = many_short_lines(team).replace(b'"yesterday"', b"1")
    event_id = send(owner, team, raw)
    address, seen = f"/events/{event_id}?body=0", set[str]()
    while address:
        page = open_page(owner, address)
        seen |= {each["data-n"] or "" for _, each in page.tags if each.get("data-n")}
        more = [link for link in page.links if "?body=" in link]
        address = more[-1] if more and more[-1].partition("#")[0] > address else ""
    assert len(seen) == raw.count(b"\n") + 1


def send(owner: FlaskClient, team: Team, raw: bytes) -> str:
    """With as many headers as the server takes, and with as much beside it as is listed."""
    store_refusals(team, 60, execution_id=SAME, correlation_id=SAME)
    many = {f"X-Header-{number}": "<&" * 150 for number in range(90)}
    headers = {**team.headers, **many, "Content-Type": "application/json"}
    answer = owner.post("/api/v1/ingest/run-failure", data=raw, headers=headers)
    ingest_service().recorder.flush()
    while process_batch(100):
        pass
    assert answer.json
    return str(answer.json["event_id"])


def follow_places(owner: FlaskClient, html: str) -> None:
    """Each place is shown where its link leads, the first one on this page."""
    links = [link for link in Page(html).links if "#place-" in link]
    for number, link in enumerate(dict.fromkeys(links)):
        address, _, identifier = link.partition("#")
        assert number or not address
        there = owner.get(address).text if address else html
        assert len(there.encode()) <= MOST_BYTES
        assert Page(there).has_id(identifier), link

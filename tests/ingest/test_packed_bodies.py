"""Of a compressed body, in which nobody can look for keys, size and SHA-256 alone are kept."""

import bz2
import gzip
import hashlib
import lzma
import zlib

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.ingest.packed_bodies import name_packing, read_note
from app.ingest.service import ingest_service
from app.models import Event
from tests.console.pages import open_page
from tests.factories import Team, make_team
from tests.sessions import make_client

SUCCESS = "/api/v1/ingest/run-success"
BODY = b'{"workflow_slug": "lead-enrichment", "error_message": "a text that is packed"}'
PACKED = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "bzip2": bz2.compress(BODY),
    "xz": lzma.compress(BODY),
    "zstd": b"\x28\xb5\x2f\xfd\x20" + BODY,
    "zip": b"PK\x03\x04\x14\x00" + BODY,
    "lz4": b"\x04\x22\x4d\x18\x64" + BODY,
}


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def only_event() -> Event:
    ingest_service().recorder.flush()
    return db.session.scalars(db.select(Event)).one()


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize("packing", PACKED)
def test_it_is_told_and_not_stored(
    client: FlaskClient, team: Team, packing: str, has_key: bool, said: bool
) -> None:
    packed = PACKED[packing]
    headers = (team.headers if has_key else {}) | ({"Content-Encoding": packing} if said else {})
    answer = client.post(SUCCESS, data=packed, headers=headers)
    assert answer.status_code == ((415 if said else 400) if has_key else 401)
    event = only_event()
    assert event.body == b"" and event.body_size == len(packed)
    assert read_note(event.detail) == (str(len(packed)), hashlib.sha256(packed).hexdigest())
    assert "SHA-256" not in answer.text


def test_what_is_said_to_be_packed_is_not_stored_whatever_it_is(
    client: FlaskClient, team: Team
) -> None:
    raw = zlib.compressobj(wbits=-15)
    packed = raw.compress(BODY) + raw.flush()
    client.post(SUCCESS, data=packed, headers=team.headers | {"Content-Encoding": "br"})
    assert only_event().body == b""


@pytest.mark.parametrize("text", [b"x^2 + y^2 = 1", b"BZhang sent this", b"{", b"PK", b"xyz"])
def test_a_text_that_begins_like_it_is_kept(client: FlaskClient, team: Team, text: bytes) -> None:
    assert name_packing(text) is None
    client.post(SUCCESS, data=text, headers=team.headers)
    event = only_event()
    assert event.body == text and read_note(event.detail) is None


def test_identity_is_no_packing(client: FlaskClient, team: Team) -> None:
    client.post(SUCCESS, data=b"{}", headers=team.headers | {"Content-Encoding": "identity"})
    assert only_event().body == b"{}"


def test_its_page_says_so_and_shows_the_answer_as_it_was(client: FlaskClient, team: Team) -> None:
    packed = PACKED["gzip"]
    declared = {"Content-Encoding": "gzip"}
    answer = client.post(SUCCESS, data=packed, headers=team.headers | declared)
    event = only_event()
    owner = make_client(client.application, team.email)
    page = open_page(owner, f"/events/{event.public_id}")
    assert "came compressed. They are not stored" in page.text
    assert hashlib.sha256(packed).hexdigest() in page.text
    assert (
        answer.json["detail"]
        == "The body is sent with Content-Encoding: gzip. Send it uncompressed."
    )
    assert "were announced" not in page.text
    resend = open_page(owner, f"/events/{event.public_id}/resend")
    assert "nothing was kept: write it anew" in resend.text

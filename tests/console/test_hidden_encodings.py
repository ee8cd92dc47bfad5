"""Whatever encoding a body came in, its secrets are hidden, and its text is shown."""

import base64
import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from app.console.reproduction import FILE_NAMES
from app.ingest.service import ingest_service
from app.secret_texts import MASK
from tests.console.test_hidden_values import reveal
from tests.factories import Team

SECRET = "hunter2hunter2"
TEXT = f'{{"note": "kept – 東京 🚀", "password": "{SECRET}", "last": 1}}'
LONE = TEXT.replace("kept", "kept\ud800").replace("1}", '"\udc00"}')
MANY = TEXT.replace("東京", "東京" * 20).replace("🚀", "🚀" * 20)
HARDLY_LATIN = TEXT.replace("東京", "東京" * 600)


def encode(text: str, codec: str) -> bytes:
    return text.encode(codec, "surrogatepass")


BODIES = {
    f"{codec}, {mark or 'no'} mark, {name}": encode(f"{mark}{text}", codec) + tail
    for codec in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    for mark in ("", "\ufeff")
    for name, text, tail in (
        ("whole", TEXT, b""),
        ("an odd byte", TEXT, b"\xd8"),
        ("lone surrogates", LONE, b""),
        ("other signs", MANY, b""),
        ("hardly a Latin sign", HARDLY_LATIN, b""),
        ("cut in a sign", TEXT, encode("🚀", codec)[:-1]),
    )
}
WORSE = {
    "UTF-16 behind an odd byte": b"\n" + encode(TEXT, "utf-16-le"),
    "UTF-16 within UTF-8": b'{"note": "kept", "raw": "' + encode(TEXT, "utf-16-le") + b'"}',
    "UTF-32 that is none": encode(TEXT, "utf-32-le") + b"\xff\xff\xff\xff",
    "UTF-8 behind a mark of UTF-16": b"\xff\xfe" + TEXT.encode(),
    "NULs between": b"\0\0\0\0\0".join(TEXT.encode()[at : at + 1] for at in range(len(TEXT))),
    "two NULs between": b"\0\0".join(TEXT.encode()[at : at + 1] for at in range(len(TEXT))),
}


def send(client: FlaskClient, team: Team, raw: bytes) -> str:
    answer = client.post("/api/v1/ingest/run-failure", data=raw, headers=team.headers)
    ingest_service().recorder.flush()
    return str(answer.json["event_id"])


def plain(raw: bytes) -> str:
    """What a person can make out in it."""
    return re.sub(r"[\0\ufffd␀]", "", raw.decode("utf-8", "replace"))


def list_shown(client: FlaskClient, event_id: str) -> dict[str, str]:
    """All that is shown of a request, by address; what stands in base64 there is taken out."""
    pages = {
        path: client.get(f"/events/{event_id}{path}").data for path in ("", "/body", "/resend")
    }
    pages |= {path: client.get(path).data for path in ("/events", "/")}
    for name in FILE_NAMES:
        pages[name] = client.get(f"/events/{event_id}/as/{name}").data
    shown = {
        path: plain(unescape(raw.decode("utf-8", "replace")).encode())
        for path, raw in pages.items()
    }
    for path, text in list(shown.items()):
        for index, box in enumerate(re.findall(r"(?:[A-Za-z0-9+/=]{12,}\s*){2,}", text)):
            whole = "".join(box.split()).rstrip("=")
            whole = whole[: len(whole) - len(whole) % 4]
            shown[f"{path} base64 {index}"] = plain(base64.b64decode(whole))
    return shown


def body_of(client: FlaskClient, event_id: str) -> str:
    """As it is shown on the page."""
    found = re.search(r'<code id="body">(.*?)</code>', client.get(f"/events/{event_id}").text, re.S)
    assert found
    return unescape(re.sub("<[^>]+>", "", found[1]))


@pytest.mark.once
@pytest.mark.parametrize("name", [*BODIES, *WORSE])
def test_no_way_out_shows_a_secret(owner: FlaskClient, team: Team, name: str) -> None:
    raw = (BODIES | WORSE)[name]
    event_id = send(owner, team, raw)
    for path, text in list_shown(owner, event_id).items():
        assert "hunter" not in text, path
        assert "retnuh" not in text, path


@pytest.mark.once
@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_secret_is_read_on_the_page_and_kept_in_the_download(
    owner: FlaskClient, team: Team, name: str
) -> None:
    raw = BODIES[name]
    event_id = send(owner, team, raw)
    page = body_of(owner, event_id)
    assert "kept" in page and "東京" in page and "last" in page and MASK in page
    codec, masked = name.partition(",")[0], owner.get(f"/events/{event_id}/body").data
    start, end = raw.split(encode(SECRET, codec))
    assert masked == start + encode(MASK, codec) + end


def test_whoever_may_see_them_gets_the_bytes_that_came(owner: FlaskClient, team: Team) -> None:
    for raw in (BODIES["utf-16-le, no mark, an odd byte"], WORSE["NULs between"]):
        event_id = send(owner, team, raw)
        assert owner.get(f"/events/{event_id}/body").data != raw
        assert reveal(owner, event_id).status_code == 303
        assert owner.get(f"/events/{event_id}/body").data == raw


def test_the_page_says_which_encoding_it_is(owner: FlaskClient, team: Team) -> None:
    for codec, said in {"utf-16-be": "UTF-16", "utf-32-le": "UTF-32"}.items():
        page = owner.get(f"/events/{send(owner, team, encode(TEXT, codec))}").text
        assert f"The body is {said}, not UTF-8." in page


def test_a_few_nuls_make_no_body_unreadable(owner: FlaskClient, team: Team) -> None:
    for raw in (b'{"a":"x\0y"}', b'{"note": "kept\0", "b": "\0\0", "c": "\0"}' + b" " * 100):
        page = body_of(owner, send(owner, team, raw))
        assert "␀" in page and MASK not in page

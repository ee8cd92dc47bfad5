"""Documents of other systems, from files and servers: hostile ones are refused clearly."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from app.importing import documents
from app.importing.documents import fetch, parse, read_file
from app.importing.healthchecks import read_checks
from app.importing.n8n import read_workflows
from app.importing.plans import Plan
from app.workspaces.mistakes import RefusedError

HEADERS = {"X-Api-Key": "secret"}


@contextmanager
def serving(status: int, body: bytes, **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine: its address, and the paths and keys that came."""
    came: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(f"{self.path} {self.headers.get('X-Api-Key')}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        server.server_close()


def test_a_server_is_asked_at_the_usual_address_with_the_key() -> None:
    with serving(200, b'{"checks": []}') as (url, came):
        assert fetch(url, "/api/v3/checks/", HEADERS) == {"checks": []}
        assert fetch(f"{url}/hc/api/v3/checks/?tag=a", "/x", HEADERS) == {"checks": []}
    assert came == ["/api/v3/checks/ secret", "/hc/api/v3/checks/?tag=a secret"]


def test_a_key_goes_nowhere_else() -> None:
    with (
        serving(200, b"{}") as (other, elsewhere),
        serving(301, b"", Location=f"{other}/") as (url, _),
    ):
        with pytest.raises(RefusedError, match=f"It leads to {other}"):
            fetch(url, "/", HEADERS)
        assert elsewhere == []


@pytest.mark.parametrize(
    ("status", "words"), [(401, "key is missing or wrong"), (404, "server alone"), (500, "500")]
)
def test_a_refusal_is_explained(status: int, words: str) -> None:
    with serving(status, b"no") as (url, _), pytest.raises(RefusedError, match=words):
        fetch(url, "/", HEADERS)


@pytest.mark.parametrize("url", ["ftp://example.org/", "file:///etc/passwd", "https://", "x://y"])
def test_only_the_web_is_asked(url: str) -> None:
    with pytest.raises(RefusedError, match="https://"):
        fetch(url, "/", HEADERS)


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(RefusedError, match="could not be asked"):
        fetch("http://127.0.0.1:1/", "/", HEADERS)
    with pytest.raises(RefusedError, match="could not be asked"):
        fetch("http://127.0.0.1:99999/", "/", HEADERS)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"\xff\xfe[",
        b"[NaN]",
        b'{"checks": [',
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"[" + b"1" * 5_000 + b"]",
        b"\x1b[2J",
    ],
    ids=lambda raw: repr(raw[:10]),
)
def test_what_is_no_json_is_refused_in_a_line(raw: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(raw, "file\x1b[2J")
    assert str(refused.value).isprintable() and len(str(refused.value)) < 400


def test_a_huge_file_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 1_000)
    (tmp_path / "huge").write_text(json.dumps(["x" * 2_000]))
    with pytest.raises(RefusedError, match="MB"):
        read_file(tmp_path / "huge")


@pytest.mark.parametrize(
    "document", [None, 7, "x", [], {}, [1], {"checks": {}}, {"checks": [[]]}, {"data": [None]}]
)
def test_what_is_no_list_of_objects_is_refused(document: Any) -> None:
    if document != []:
        with pytest.raises(RefusedError, match="expected"):
            read_checks(document)
        with pytest.raises(RefusedError, match="expected"):
            read_workflows(document, "UTC", 600)


HOSTILE = [
    None,
    True,
    -1,
    10**40,
    1.5,
    "",
    "x" * 100_000,
    "\0\x1b[2J\u202e",
    "\ud800",
    [],
    {},
    [[]],
    {"a": 1},
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:12])
def test_members_of_any_kind_never_end_an_import(value: Any) -> None:
    whole = {"name": "A", "uuid": "5d1c8a3e-94b7-4f02-a6d9-3e7b1c5f8a20", "timeout": 60}
    for name in (*whole, "slug", "tags", "desc", "grace", "schedule", "tz", "status", "methods"):
        for one in ({**whole, name: value}, {name: value}):
            (plan,) = read_checks([one])
            assert (plan.left_out or plan.name) and is_utf_8(plan)
    for name in ("name", "id", "active", "tags", "nodes", "settings", "isArchived"):
        (plan,) = read_workflows([{"name": "A", name: value}], "UTC", 600)
        assert (plan.left_out or plan.name) and is_utf_8(plan)


def is_utf_8(plan: Plan) -> bool:
    texts = (plan.name, plan.slug, plan.left_out, *plan.labels, *plan.notes)
    return "".join(texts).encode().decode() == "".join(texts)


def test_too_many_are_refused() -> None:
    with pytest.raises(RefusedError, match="10,001"):
        read_checks([{}] * 10_001)

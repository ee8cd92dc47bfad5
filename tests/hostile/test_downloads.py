"""What came from outside is handed out as a file, which no browser takes for a page."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.ingest.service import ingest_service
from app.models import Event, Run
from app.processing.batch import process_batch
from tests.factories import Team, make_team
from tests.hostile.contents import hostile_headers
from tests.pages_map import NO_PAGES
from tests.sessions import make_client

HTML = "<!doctype html><script>window.__pwned=1</script>"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" onload="window.__pwned=1"/>'
PDF = "%PDF-1.7 pwned"
BODIES = [HTML, SVG, PDF, f'{{"ended_at": "{HTML}', "\ufeff" + HTML]
SAFE_TYPES = {
    "application/octet-stream",
    "application/json",
    "text/plain; charset=utf-8",
}
DOWNLOADS = frozenset(
    {
        "event.download_body",
        "event.download_headers",
        "event.download_reproduction",
        "mending.download_draft",
        "runs.download_texts",
    }
)


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def send(client: FlaskClient, team: Team) -> None:
    """Bodies that a browser would take for pages, and a run that is full of them."""
    for number, body in enumerate(BODIES):
        headers = {**team.headers, **hostile_headers(HTML), "Content-Type": "text/html"}
        path = f"/api/v1/ingest/run-success?q={HTML}&n={number}"
        assert client.post(path, data=body.encode(), headers=headers).status_code == 400
    good = {
        "workflow_slug": team.slug,
        "ended_at": "2026-01-15T09:31:00Z",
        "error_message": HTML,
        "external_execution_id": f'x"; filename="evil.html\r\nX: {HTML}',
        "metadata": {HTML: HTML},
    }
    answer = client.post("/api/v1/ingest/run-failure", data=json.dumps(good), headers=team.headers)
    assert answer.status_code == 202
    ingest_service().recorder.flush()
    while process_batch(100):
        db.session.rollback()


def files(app: Flask) -> Iterator[str]:
    """The address of each file that holds what came, of each event and run."""
    events = db.session.scalars(select(Event.public_id)).all()
    for public_id in events:
        yield from (f"/events/{public_id}/{name}" for name in ("body", "headers", "as/curl"))
        yield f"/events/{public_id}/as/python"
        yield f"/events/{public_id}/resend/body"
    runs = db.session.scalars(select(Run.public_id)).all()
    yield from (f"/runs/{public_id}/texts" for public_id in runs)


def test_each_of_them_is_listed_here() -> None:
    assert {each for each in NO_PAGES if "download" in each} == DOWNLOADS


def test_each_is_an_attachment_of_a_harmless_type_and_name(app: Flask, team: Team) -> None:
    send(app.test_client(), team)
    client = make_client(app, team.email)
    addresses = app.url_map.bind("")
    seen = set()
    for path in files(app):
        answer = client.get(path)
        if answer.status_code == 404:
            continue
        assert answer.status_code == 200, path
        seen.add(addresses.match(path, "GET")[0])
        headers = answer.headers
        assert headers["Content-Type"] in SAFE_TYPES, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["Cache-Control"] == "no-store", path
        kind, _, name = headers["Content-Disposition"].partition("; filename=")
        assert kind == "attachment", path
        assert name.replace("-", "").replace(".", "").isalnum() and "evil" not in name, path
    assert seen == DOWNLOADS

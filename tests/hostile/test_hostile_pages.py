"""On PostgreSQL too, what is hostile stands in each page's source as text; what a browser makes of
it is tests/hostile/test_hostile_content.py's, on SQLite."""

import pytest
from flask import Flask

from app.extensions import db
from app.ingest.service import ingest_service
from app.processing.batch import process_batch
from tests.factories import make_team
from tests.hostile.contents import (
    find_ids,
    make_alerts,
    name_everything,
    send_all_at_once,
    send_all_signals,
    send_everything,
)
from tests.hostile.sources import MARKUP, Source
from tests.pages_map import addresses
from tests.sessions import make_client


@pytest.mark.parametrize(
    "html",
    [
        "<script>window.__pwned=1</script>",
        "<img src=/pwned.png>",
        "<svg onload=window.__pwned=1>",
        "<div hx-get=/pwned></div>",
        "<iframe srcdoc='x'></iframe>",
    ],
)
def test_the_reader_of_sources_sees_what_would_come_to_life(html: str) -> None:
    assert Source(f"<p>{html}").alive


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_what_requests_hold_stands_in_each_page_as_text(app: Flask) -> None:
    team = make_team()
    name_everything()
    sender = app.test_client()
    send_everything(sender, team)
    send_all_signals(sender, team)
    send_all_at_once(sender, team)
    ingest_service().recorder.flush()
    while process_batch(1_000):
        db.session.rollback()
    make_alerts()
    failures, ids = find_ids()
    client = make_client(app, team.email)
    for path in addresses(ids):
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        source = Source(answer.text)
        assert source.alive == [], path
        assert [each for each in MARKUP if each in answer.text] == [], path
        assert " ".join(failures.get(path, "").split()) in source.text, path

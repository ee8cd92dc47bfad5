"""Far more requests than are allowed: disk and time stay bounded, and all of them are counted."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select, text

from app.config import SETTINGS
from app.extensions import db
from app.models import Event, of_state
from tests.apps import close_app, make_app
from tests.console.pages import Page
from tests.drills.flood import Outcome, Task, flooding
from tests.drills.load import Load
from tests.drills.record import Figure, record
from tests.drills.reliability import is_held
from tests.main_job.visitors import sign_in
from tests.server import LiveServer, wait_for
from tests.teams import LiveTeam, make_live_team

KEYLESS_RATE, KEYLESS_SECONDS = 10_000, 300
ONE_KEY_RATE, ONE_KEY_SECONDS = 2_000, 60
GOOD_CLIENTS, GOOD_RATE = 8, 10
LOOK_SECONDS = 5.0
"""Between two looks at the log."""
ROW_KB = 4.0
"""On disk a refused request of the flood takes no more, indexes and what has gone included."""
STORED_A_SECOND = 200
PATH = "/api/v1/ingest/run-success"


def write_request(body: str, *headers: str) -> str:
    head = [f"POST {PATH} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*head, *headers, f"Content-Length: {len(body)}", "", body])


def under_flood(
    server: LiveServer, good: LiveTeam, session: requests.Session, task: Task
) -> tuple[Outcome, Load, list[float]]:
    """The flood's outcome, what a good key met with, and the seconds of the log's page."""
    pages = []
    with flooding(task) as flood, Load(server, good, GOOD_CLIENTS, GOOD_RATE) as load:
        while not flood.is_over:
            began = time.monotonic()
            assert session.get(server.url + "/events", timeout=60).status_code == 200
            pages.append(time.monotonic() - began)
            time.sleep(min(LOOK_SECONDS, task.seconds / 5))
        outcome = flood.wait()
    return outcome, load, pages


def look(server: LiveServer) -> tuple[int, float]:
    """How many refused requests the log holds, and how many MB the database takes."""
    app = make_app(server.database_url, server.data_dir)
    with app.app_context():
        count = db.session.scalar(select(func.count(Event.id)).where(of_state("rejected"))) or 0
        if db.engine.dialect.name == "sqlite":
            file = Path(str(db.engine.url.database))
            mb = sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*")) / 2**20
        else:
            size = select(func.pg_database_size(text("current_database()")))
            mb = (db.session.scalar(size) or 0) / 2**20
        db.session.rollback()
    close_app(app)
    return count, mb


def read_unstored(server: LiveServer, session: requests.Session) -> int:
    """How many more the log's page tells of."""
    words = Page(session.get(server.url + "/events", timeout=60).text).text
    found = re.search(r"([\d,]+) more refused requests? w", words)
    return int(found[1].replace(",", "")) if found else 0


def read_shown(server: LiveServer, session: requests.Session) -> int:
    """All refused requests that the log shows or tells of, once what waits is written."""
    counts = [-1, -2]

    def has_settled() -> bool:
        counts.append(look(server)[0] + read_unstored(server, session))
        return counts[-1] == counts[-2] == counts[-3]

    wait_for(has_settled, seconds=60, pause=0.7)
    return counts[-1]


def flood_without_key(server: LiveServer, rate: float, seconds: float) -> dict[str, Figure]:
    team = make_live_team(server)
    session = sign_in(server, team)
    stored_before, mb_before = look(server)
    task = Task(server.port, write_request("{}"), rate, seconds)
    outcome, load, pages = under_flood(server, team, session, task)
    stored, mb = look(server)
    assert stored_before == 0
    return {
        "offered": round(rate * seconds),
        "sent": outcome.sent,
        "answers": write_answers(outcome),
        "lost": outcome.lost,
        "seconds": outcome.seconds,
        "rate": round(outcome.sent / outcome.seconds, 1),
        "shown": read_shown(server, session),
        "stored": stored,
        "more_mb": mb - mb_before,
        "good": len(load.accepted),
        "good_rate": round(load.rate, 1),
        "good_others": len(load.answers) - len(load.accepted),
        "good_p99_ms": load.percentile(0.99) * 1000,
        "page_ms": max(pages) * 1000,
    }


def flood_with_one_key(server: LiveServer, rate: float, seconds: float) -> dict[str, Figure]:
    good, flooder = make_live_team(server), make_live_team(server)
    session = sign_in(server, flooder)
    body = f'{{"workflow_slug": "{flooder.slug}", "ended_at": "2026-01-15T09:31:00Z"}}'
    task = Task(server.port, write_request(body, f"X-API-Key: {flooder.key}"), rate, seconds)
    outcome, load, pages = under_flood(server, good, session, task)
    return {
        "offered": round(rate * seconds),
        "sent": outcome.sent,
        "answers": write_answers(outcome),
        "lost": outcome.lost,
        "seconds": outcome.seconds,
        "rate": round(outcome.sent / outcome.seconds, 1),
        "refused": outcome.answers["429"],
        "with_retry_after": outcome.with_retry_after,
        "shown": read_shown(server, session),
        "good": len(load.accepted),
        "good_rate": round(load.rate, 1),
        "good_others": len(load.answers) - len(load.accepted),
        "good_p99_ms": load.percentile(0.99) * 1000,
        "page_ms": max(pages) * 1000,
    }


def write_answers(outcome: Outcome) -> str:
    return ", ".join(f"{count:,} × {status}" for status, count in sorted(outcome.answers.items()))


def expect_counted(found: dict[str, Figure]) -> None:
    """Whatever the machine: all of the flood is answered and counted, and the good key gets on."""
    assert found["lost"] == 0
    assert found["good_others"] == 0
    assert int(found["good"]) > 0


def expect_bounded(found: dict[str, Figure]) -> None:
    expect_counted(found)
    assert found["answers"] == f"{found['sent']:,} × 401"
    assert found["shown"] == found["sent"]
    stored = STORED_A_SECOND * (float(found["seconds"]) + 2)
    assert int(found["stored"]) <= min(stored, KEPT_ROWS + 60 * STORED_A_SECOND)
    assert float(found["more_mb"]) <= stored * ROW_KB / 1024 + 10


def expect_limited(found: dict[str, Figure], limit: int) -> None:
    """So many a second, and a burst of ten times as many; the processes tell each other four times
    a second, so that at first each may let as many through."""
    expect_counted(found)
    accepted = int(found["sent"]) - int(found["refused"])
    assert set(re.findall(r"× (\d+)", str(found["answers"]))) <= {"202", "429"}
    assert accepted <= 2 * limit * (10 + float(found["seconds"]))
    assert found["with_retry_after"] == found["refused"] == found["shown"]
    assert int(found["refused"]) > 0


KEPT_ROWS = int(next(each.default for each in SETTINGS if each.name == "FLOWPULSE_REJECTED_ROWS"))


def test_a_short_flood_without_a_key_is_counted_to_the_last(
    make_server: Callable[..., LiveServer],
) -> None:
    server = make_server(FLOWPULSE_RATE_LIMIT="100")
    found = flood_without_key(server, 2_000, 3)
    expect_bounded(found)


@pytest.mark.once
def test_a_short_flood_with_one_key_is_held_back_and_counted(
    make_server: Callable[..., LiveServer],
) -> None:
    """How processes tell each other of a limit by both databases: tests/ingest/test_limits.py."""
    server = make_server(FLOWPULSE_RATE_LIMIT="10")
    expect_limited(flood_with_one_key(server, 1_000, 3), 10)


@pytest.mark.drill("flood_without_key")
@pytest.mark.timeout(900)
def test_five_minutes_of_requests_without_a_key_are_bounded_and_counted(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    server = make_server(FLOWPULSE_RATE_LIMIT="100")
    found = flood_without_key(server, KEYLESS_RATE, KEYLESS_SECONDS)
    record("flood_without_key", database_kind, **found)
    expect_bounded(found)
    assert is_held("flood_without_key", found), found


@pytest.mark.drill("flood_with_one_key")
@pytest.mark.timeout(300)
def test_one_key_that_floods_is_held_back_and_harms_no_other(
    make_server: Callable[..., LiveServer], database_kind: str
) -> None:
    server = make_server(FLOWPULSE_RATE_LIMIT="100")
    found = flood_with_one_key(server, ONE_KEY_RATE, ONE_KEY_SECONDS)
    record("flood_with_one_key", database_kind, **found)
    expect_limited(found, 100)
    assert is_held("flood_with_one_key", found), found

"""The lists as files: what their pages show, all of it, and nothing that those hide."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select, update

from app.clock import now
from app.console import event_rows, event_search, run_rows, run_search
from app.console.event_filter import EventFilter
from app.console.exports import let_go
from app.console.list_files import FORMATS
from app.console.run_filter import RunFilter
from app.extensions import db, writing
from app.identifiers import new_id
from app.ingest.service import ingest_service
from app.models import AuditEntry, Event, Run, UserSession
from app.processing.batch import process_batch
from tests.console.pages import Page, open_page
from tests.factories import Team, accepted_row, make_team, report, run_row

START = datetime(2026, 11, 1, tzinfo=UTC)
SECRET = "sk-live-4eC39HqLyjWDarjtT1zdp7dc"
LISTS = ("events", "runs", "problems")


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (event_rows, run_rows):
        monkeypatch.setattr(module, "READ_AT_ONCE", 7)


def take(client: FlaskClient, path: str) -> str:
    answer = client.get(path, buffered=True)
    assert answer.status_code == 200, answer.text
    return answer.text


def read_lines(client: FlaskClient, name: str, query: str = "") -> list[dict[str, Any]]:
    text = take(client, f"/{name}/export.jsonl{query}")
    return [json.loads(line) for line in text.splitlines()]


def read_cells(client: FlaskClient, name: str, query: str = "") -> list[dict[str, str]]:
    text = take(client, f"/{name}/export.csv{query}")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def walk_pages(client: FlaskClient, path: str, prefix: str) -> list[str]:
    """The ids of what the pages show, from the first to the last."""
    found: list[str] = []
    while path:
        page = open_page(client, path)
        links = [each for each in page.links if each.startswith(prefix) and "?" not in each]
        found += [each.removeprefix(prefix) for each in links if len(each) == len(prefix) + 24]
        onward = [each for each in page.links if "before=" in each]
        path = onward[-1] if onward else ""
    return list(dict.fromkeys(found))


def put_events(team: Team, count: int, **columns: Any) -> None:
    rows = [
        accepted_row(
            START + timedelta(minutes=number),
            public_id=new_id(),
            workspace_id=team.workspace_id,
            workflow_id=team.workflow_id,
            **{"kind": "run-success", "body": f"number {number}".encode(), **columns},
        )
        for number in range(count)
    ]
    with writing() as session:
        session.execute(insert(Event), rows)


def put_runs(team: Team, count: int, **columns: Any) -> None:
    rows = [
        {
            "public_id": new_id(),
            **run_row(team, START + timedelta(minutes=number // 2)),
            "outcome": "failure" if number % 3 == 0 else "success",
            "duration_ms": 1_000.0 * number,
            **columns,
        }
        for number in range(count)
    ]
    with writing() as session:
        session.execute(insert(Run), rows)


def process() -> None:
    ingest_service().recorder.flush()
    while process_batch(100):
        pass
    db.session.rollback()


@pytest.mark.parametrize(
    "query", ["", "?state=rejected", "?q=number+1", "?until=2026-11-01T01:00Z"]
)
def test_events_are_those_of_all_pages_in_their_order(
    owner: FlaskClient, team: Team, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_events(team, 80)
    put_events(team, 20, state="rejected", status=422, code="validation_failed")
    put_events(make_team("Other", first=False), 5)
    shown = walk_pages(owner, f"/events{query}", "/events/")
    monkeypatch.setattr(event_search, "FIRST_WINDOW", 10)
    monkeypatch.setattr(event_search, "SECONDS", 0)
    rows = read_lines(owner, "events", query)
    assert [row["id"] for row in rows] == shown
    assert len(shown) >= 20
    assert [row["id"] for row in read_cells(owner, "events", query)] == shown


@pytest.mark.parametrize("query", ["", "?outcome=failure", "?longer=30", "?outcome=running"])
def test_runs_are_those_of_all_pages_in_their_order(
    owner: FlaskClient, team: Team, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_runs(team, 130)
    put_runs(team, 4, outcome="running", ended_at=None, started_at=START, duration_ms=None)
    put_runs(make_team("Other", first=False), 5)
    shown = walk_pages(owner, f"/runs{query}", "/runs/")
    monkeypatch.setattr(run_search, "FIRST_WINDOW", 10)
    monkeypatch.setattr(run_search, "SECONDS", 0)
    rows = read_lines(owner, "runs", query)
    assert [row["id"] for row in rows] == shown
    assert len(shown) == {"": 134, "?outcome=failure": 44, "?outcome=running": 4}.get(query, 103)
    assert [row["id"] for row in read_cells(owner, "runs", query)] == shown


def test_a_run_that_ends_meanwhile_is_in_it_once(team: Team) -> None:
    put_runs(team, 3)
    put_runs(team, 2, outcome="running", ended_at=None, started_at=START, duration_ms=None)
    batches = run_rows.read_rows(team.workspace_id, RunFilter())
    rows = next(batches)
    with writing() as session:
        is_open = update(Run).where(Run.outcome == "running")
        session.execute(is_open.values(outcome="success", ended_at=now()))
    rows += [row for batch in batches for row in batch]
    assert len(rows) == len({row["id"] for row in rows}) == 5


def test_problems_are_those_of_all_pages(owner: FlaskClient, team: Team) -> None:
    for number in range(30):
        report(owner, team, workflow_slug=f"nowhere-{number}")
    report(owner, team, workflow_slug="nowhere-3")
    process()
    rows = read_lines(owner, "problems")
    assert [row["workflow"] for row in rows][:3] == ["nowhere-3", "nowhere-29", "nowhere-28"]
    assert (len(rows), sum(row["requests"] for row in rows)) == (30, 31)
    assert rows[0]["requests_24h"] == 2
    assert read_lines(owner, "problems", "?show=ignored") == []
    assert len(read_cells(owner, "problems", f"?code={rows[0]['code']}")) == 30


def test_what_the_lists_hide_stays_hidden(owner: FlaskClient, team: Team) -> None:
    headers = {**team.headers, "User-Agent": f"bot token={SECRET}"}
    body: dict[str, Any] = {"workflow_slug": team.slug, "ended_at": "2026-01-15T09:31:00Z"}
    body |= {"error_message": f"refused: api_key={SECRET}", "metadata": {"password": SECRET}}
    path = f"/api/v1/ingest/run-failure?token={SECRET}"
    assert owner.post(path, json=body, headers=headers).status_code == 202
    wrong = {**body, "workflow_slug": f"password={SECRET}", "correlation_id": f"token={SECRET}"}
    owner.post("/api/v1/ingest/run-failure", json=wrong, headers=headers)
    process()
    for name in LISTS:
        for form in ("csv", "jsonl"):
            text = take(owner, f"/{name}/export.{form}")
            assert SECRET not in text, name
            assert any(sign in text for sign in ("\u2022" * 3, "\\u2022" * 3, "***")), name
    assert read_lines(owner, "runs")[0]["metadata"] != {"password": SECRET}


def test_a_cell_is_no_formula_and_a_line_is_as_it_came(owner: FlaskClient, team: Team) -> None:
    nasty = '=HYPERLINK("http://example.org")'
    report(owner, team, "failure", error_message=nasty, metadata={"a": [1, "é"]})
    process()
    (line,), (cells,) = read_lines(owner, "runs"), read_cells(owner, "runs")
    assert (line["error_message"], cells["error_message"]) == (nasty, f"'{nasty}")
    assert (line["metadata"], cells["metadata"]) == ({"a": [1, "é"]}, '{"a":[1,"\\u00e9"]}')
    assert line["ended_at"] == cells["ended_at"] == "2026-01-15T09:31:00.000Z"
    assert (line["is_test"], cells["is_test"]) == (False, "false")


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_gives_a_file_and_shows_where(
    owner: FlaskClient, team: Team, name: str
) -> None:
    page = open_page(owner, f"/{name}")
    for form in ("csv", "jsonl"):
        assert f"/{name}/export.{form}" in page.links
    assert read_lines(owner, name) == read_cells(owner, name) == []
    assert take(owner, f"/{name}/export.csv").startswith('"')
    answer = owner.get(f"/{name}/export.csv", buffered=True)
    today = f"{now():%Y-%m-%d}"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}-{today}.csv"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_filter_goes_along(owner: FlaskClient, team: Team) -> None:
    put_runs(team, 1)
    links = open_page(owner, "/runs?outcome=failure&longer=2").links
    assert "/runs/export.csv?outcome=failure&longer=2" in links
    wrong = owner.get("/runs/export.csv?outcome=nonsense")
    assert (wrong.status_code, wrong.location) == (303, "/runs?outcome=nonsense")


@pytest.mark.parametrize("name", LISTS)
def test_it_is_noted_for_whom_and_with_which_filter(
    owner: FlaskClient, team: Team, name: str
) -> None:
    query = {"events": f"q=token={SECRET}", "runs": "outcome=failure", "problems": "show=ignored"}
    assert owner.head(f"/{name}/export.csv").status_code == 200
    assert _noted() == [], "nothing was handed out"
    take(owner, f"/{name}/export.csv?{query[name]}")
    (entry,) = _noted()
    assert (entry.who, entry.about, entry.workspace_id) == (team.email, name, team.workspace_id)
    assert entry.details is not None and entry.details["format"] == "csv"
    assert len(entry.details["filter"]) == 1 and SECRET not in str(entry.details)


def _noted() -> list[AuditEntry]:
    query = select(AuditEntry).where(AuditEntry.what == "list_exported")
    return list(db.session.scalars(query))


@pytest.mark.parametrize("name", LISTS)
def test_it_is_for_members_with_the_password_given_lately(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], name: str
) -> None:
    viewer, member = colleague("viewer"), colleague("member")
    assert viewer.get(f"/{name}/export.csv").status_code == 403
    assert not any("export" in link for link in open_page(viewer, f"/{name}").links)
    assert member.get(f"/{name}/export.csv", buffered=True).status_code == 200
    with writing() as session:
        session.execute(update(UserSession).values(password_at=now() - timedelta(minutes=16)))
    asked = owner.get(f"/{name}/export.csv?x=1")
    assert asked.status_code == 403
    assert Page(asked.text).form("/account/password/again")


def read(team: Team, name: str) -> Iterator[str]:
    """The pieces of the file, as the server sends them."""
    batches = {
        "events": lambda: event_rows.read_rows([team.workspace_id], EventFilter()),
        "runs": lambda: run_rows.read_rows(team.workspace_id, RunFilter()),
    }
    columns = {"events": event_rows.COLUMNS, "runs": run_rows.COLUMNS}
    return let_go(FORMATS["jsonl"].write_all(columns[name], batches[name]()))


@pytest.mark.parametrize("name", ["events", "runs"])
def test_nothing_is_held_while_it_is_sent(team: Team, name: str) -> None:
    """No transaction is open between two pieces, and a reader who goes leaves none behind."""
    put_events(team, 60)
    put_runs(team, 60)
    pieces = read(team, name)
    for _ in range(3):
        assert next(pieces)
        assert not db.session.registry().in_transaction()
    with statements() as seen:
        pieces.close()  # type: ignore[attr-defined]
    assert seen == [], "it goes on without a reader"
    assert not db.session.registry().in_transaction()


class statements:
    """All that the database is asked within."""

    def __enter__(self) -> list[str]:
        self.seen: list[str] = []
        event.listen(db.engine, "before_cursor_execute", self._note)
        return self.seen

    def _note(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self.seen.append(statement)

    def __exit__(self, *_: object) -> None:
        event.remove(db.engine, "before_cursor_execute", self._note)


@pytest.mark.parametrize("name", ["events", "runs"])
def test_memory_does_not_grow_with_the_list(
    team: Team, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peak over ten times the rows is that over a tenth of them, but for a little."""
    for module in (event_rows, run_rows):
        monkeypatch.setattr(module, "READ_AT_ONCE", 100)
    put_events(team, 3_000, detail="x" * 1_000)
    put_runs(team, 3_000, error_message="x" * 1_000)
    _peak(read(team, name), 2)  # What is made once, such as compiled statements.
    peaks = [_peak(read(team, name), most) for most in (3, 30)]
    assert peaks[1] < peaks[0] * 1.3 + 200_000


def _peak(pieces: Iterator[str], most: int) -> int:
    """Of the memory in bytes that so many pieces take one after the other."""
    tracemalloc.start()
    try:
        for _ in zip(range(most), pieces, strict=False):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

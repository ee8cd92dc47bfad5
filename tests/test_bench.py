"""The benchmark starts under the server's own settings, measures sanely, and judges its goals."""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

import bench
from app.ingest.limits import SYNC_SECONDS
from app.keys import is_well_formed
from app.workspaces.invitations import list_invitations
from bench import bare, drain, goals, ingest, live, reading, steady
from bench.__main__ import PARTS, last_results
from bench.live import Scene, Stage, play, set_up
from bench.live_logs import Log, Readers, connect
from bench.load import Load, NoLoadGenerator, Request, read, run_round, send
from bench.measured import Measured, Round, _rounded
from bench.report import FILE, SECTIONS, render
from bench.servers import can_trace
from bench.subjects import BARE, BODY_BYTES, POSTGRESQL, SQLITE, FlowPulse, bare_view
from tests.flows import make_flow
from tests.server import ROOT

SET_BY_THE_SERVER = {"flowpulse_stopping"}
ONLY_FOR_BROKEN_REQUESTS = {"flowpulse_unread"}
needs_wrk = pytest.mark.needs("wrk")


def test_the_bare_view_has_all_that_the_servers_settings_ask_of_an_app() -> None:
    files = [ROOT / "gunicorn.conf.py", *(ROOT / "serving").glob("*.py")]
    asked = {name for file in files for name in re.findall(r'ions\["(\w+)"\]', file.read_text())}
    assert "flowpulse_ingest" in asked
    assert asked - SET_BY_THE_SERVER - ONLY_FOR_BROKEN_REQUESTS <= set(bare.app.extensions)


@pytest.mark.parametrize(
    "name", [each.name for each in pkgutil.iter_modules(bench.__path__) if each.name != "sharing"]
)
def test_every_benchmark_finds_what_it_measures(name: str) -> None:
    """They are run once in a while: what they import by name may be called otherwise by then. What
    is served loads the application, and is tried by a round of each kind."""
    importlib.import_module(f"bench.{name}")


# --- one short round of each kind -----------------------------------------------------------------


@pytest.fixture
def flow(
    database_url: str, database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> FlowPulse:
    return make_flow(database_url, database_kind, request, tmp_path)


@needs_wrk
def test_a_close_look_tells_memory_and_fsyncs(tmp_path: Path) -> None:
    found = ingest.look_closely(bare_view(tmp_path), tmp_path, 1)
    assert 20 < found["start_mb"] < 200
    assert 20 < found["web_mb"] < 200
    assert 1 < found["master_mb"] < 100
    assert found["errors"] == 0
    assert found["syncs"] == 0 if can_trace() else "syncs" not in found


@needs_wrk
def test_each_kind_of_round_gives_figures_and_no_errors(flow: FlowPulse) -> None:
    with ExitStack() as stack:
        stage = set_up(flow, stack)
        wrong = run_round(stage.web, replace(flow.success(), headers={}), Load(1), flow.database)
        busy = play(Scene("busy", logs=3, backlog=400), stage, 1)
        sees_events(stage, flow)
        stage.backlog.fill_up(600)
        drained = drain.drain(flow, stage.backlog)
    assert wrong["errors"] == wrong["requests"], "a 401 is not the 202 that was expected"
    assert_sane(busy)
    assert {"drained", "rows"} <= busy.keys()
    assert busy["refusals"] == 0
    assert drained["rate"] > 10 < drained["cpu_us"]
    assert ("database_cpu_us" in drained) == (flow.database.kind == POSTGRESQL)
    assert stage.backlog.is_empty()


@needs_wrk
def test_a_close_look_beside_the_worker_tells_fsyncs(flow: FlowPulse, tmp_path: Path) -> None:
    with ExitStack() as stack:
        with ExitStack() as serving:
            stage = set_up(flow, stack, serving)
        found = live.look_closely(Scene("busy", logs=1, backlog=400), stage, tmp_path, 3)
    cluster = flow.database.cluster
    if cluster or can_trace():
        assert found["errors"] == 0
        assert 0 <= found["syncs"] < 10
        is_synced = cluster is None or cluster.settings.get("fsync") != "off"
        assert (found["syncs"] > 0) == is_synced


@needs_wrk
def test_every_kind_of_request_is_answered_as_it_is_meant(flow: FlowPulse, tmp_path: Path) -> None:
    makers = [
        ingest.run_success,
        ingest.with_key,
        ingest.with_warning,
        *(partial(ingest.rejected, status=each) for each in ingest.STATUSES),
    ]
    codes = {}
    with flow.server.running() as web:
        for make in makers:
            subject = make(flow)
            assert run_round(web, subject.request, Load(1), flow.database)["errors"] == 0
            request = subject.request
            answer = requests.post(
                web.url + request.path,
                request.body,
                headers={**request.headers, "Content-Type": "application/json"},
                timeout=10,
            )
            assert answer.status_code == request.expected
            assert len(request.body or "") == BODY_BYTES
            codes[subject.name] = list(find_codes(answer.json()))
        shared = wait_for_buckets(flow)
    names = (ingest.SUCCESS, ingest.WITH_KEY, ingest.WITH_WARNING)
    kind = flow.database.kind
    assert [codes[each[kind]] for each in names] == [[], [], ["number_as_text"]]
    assert is_well_formed(ingest.rejected(flow, 401).request.headers["X-API-Key"])
    assert codes[ingest.REJECTED[kind, 401]] == ["unauthorized"]
    refused = codes[ingest.REJECTED[kind, 400]]
    assert (refused[0], len(refused)) == ("validation_failed", 2), "for one field alone"
    assert {name.partition(":")[0] for name in shared} >= {"key", "address"}


def find_codes(answer: dict[str, Any]) -> Iterator[str]:
    """Of the problem, of what is wrong with fields, and of warnings."""
    for each in (answer, *answer.get("errors", ()), *answer.get("warnings", ())):
        if "code" in each:
            yield each["code"]


def wait_for_buckets(flow: FlowPulse) -> list[str]:
    """What the processes have told each other of, within the time that they take for it."""
    engine = create_engine(flow.database.url)
    deadline = time.monotonic() + 10
    names: list[str] = []
    while len(names) < 2 and time.monotonic() < deadline:
        time.sleep(SYNC_SECONDS)
        with engine.connect() as connection:
            names = list(connection.scalars(text("SELECT name FROM rate_buckets")))
    engine.dispose()
    return names


@needs_wrk
@pytest.mark.once
def test_a_backlog_is_drained_to_its_end_beside_steady_senders(flow: FlowPulse) -> None:
    with ExitStack() as stack:
        stage = set_up(flow, stack)
        found = steady.measure_to_the_end(stage.backlog, stage.web, 2, lambda line: None, 300, 50)
        assert stage.backlog.count() <= steady.FEW
    kind = flow.database.kind
    (whole,) = found[steady.to_its_end(kind)]
    assert whole["events"] >= 300 > steady.FEW >= whole["left"]
    assert whole["rate"] * whole["seconds"] > 100
    assert whole["worker_mb"] > 20
    for each in found[steady.beside(kind)]:
        assert each["errors"] == 0
        assert each["p99_ratio"] == each["p99_ms"] / each["calm_p99_ms"]
    assert found[steady.beside(kind)]


@needs_wrk
@pytest.mark.once
def test_each_share_of_the_worker_is_held_against_a_calm_round(flow: FlowPulse) -> None:
    with ExitStack() as stack:
        stage = set_up(flow, stack)
        stage.backlog.fill_up(600)
        found = drain.send_meanwhile(stage.backlog, stage.web, 1, 1, lambda line: None)
    kind = flow.database.kind
    for name in drain.shares(kind):
        (noticed,) = found[name]
        assert noticed["errors"] == 0
        assert noticed["p99_ratio"] > 0
        assert noticed["worker_mb"] > 20
    assert found[drain.before(kind)][0]["p99_ms"] == found[drain.share(kind, 0)][0]["calm_p99_ms"]


def sees_events(stage: Stage, flow: FlowPulse) -> None:
    """Two live logs count the rows of events that come from connections that pause."""
    readers = connect(stage.web.url, stage.cookie, 2)
    told = send(stage.web.url, flow.success(), Load(1, 4, 50))
    assert 100 > told.requests > told.errors == 0
    while not all(log.last_id for log in readers.logs):
        readers.look(1)
    assert readers.counts.rows >= 2
    for log in readers.logs:
        assert log.client
        log.client.close()


def assert_sane(measured: Round) -> None:
    assert measured["errors"] == 0
    assert measured["rate"] > 5
    assert 0 < measured["p50_ms"] <= measured["p99_ms"]
    assert 0 < measured["cpu_ms"] < 1_000


@needs_wrk
def test_a_server_that_is_not_there_has_no_figures() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        send("http://127.0.0.1:9", Request(), Load(1, 1))


def test_without_wrk_the_benchmark_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoLoadGenerator, match="Install wrk first"):
        send("http://127.0.0.1:9", Request(), Load(1))


@pytest.mark.once
def test_each_page_of_the_console_is_read(flow: FlowPulse) -> None:
    with flow.app() as app:
        reading.fill_library(flow, 300)
        found = dict(reading.make_requests(app, flow))
        assert len(list_invitations(flow.team.workspace_id)) == reading.INVITED
    assert {each for each in reading.list_pages() if "{event}" not in each} <= found.keys()
    assert {"/events/{refused}", "/events/{processed}", "/api/v1/runs"} <= found.keys()
    assert not any("{" in each.path for each in found.values())


def test_each_page_of_the_console_has_its_row_or_is_named_as_not_measured() -> None:
    results = last_results()["reading"]
    page = FILE.read_text()
    missing = reading.list_unread(results)
    for template in reading.list_pages():
        names = {template.replace("{event}", f"{{{state}}}") for state in reading.EVENT_STATES}
        has_rows = all(f"SQLite, `{name}` |" in page for name in names)
        assert has_rows != (template in missing), template
    if missing:
        names = ", ".join(f"`{each}`" for each in missing)
        assert f"Newer than these results, and not measured: {names}." in page


def test_a_page_that_one_database_lacks_is_named() -> None:
    whole = {
        f"{kind}, `{each.replace('{event}', f'{{{state}}}')}`": [{"rate": 1.0}]
        for kind in (SQLITE, POSTGRESQL)
        for each in [*reading.API, *reading.list_pages()]
        for state in reading.EVENT_STATES
    }
    assert reading.list_unread(Measured(1, 1, whole)) == []
    del whole["PostgreSQL, `/settings/audit`"]
    assert reading.list_unread(Measured(1, 1, whole)) == ["/settings/audit"]


# --- what is counted ------------------------------------------------------------------------------


def test_what_wrk_tells_is_read_in_milliseconds() -> None:
    told = read("Running 6s test\n  …\nfigures: 1200 6000000 1500 250000 3\n")
    assert told == (1200, 6.0, 1.5, 250.0, 3)


def test_rows_of_a_live_log_are_counted_however_they_are_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    beat = b"1d\r\nevent: beat\ndata: 5\n\n\r\n"
    rows = b"".join(b"20\r\nid: %d\ndata: <tr>\ndata: </tr>\n\n\r\n" % each for each in (41, 42))
    whole = head + beat + rows + beat
    for cut in range(len(head), len(whole)):
        readers, log = Readers(("", 0), "", []), Log("/")
        readers._count(log, whole[:cut])
        readers._count(log, whole[cut:])
        assert (readers.counts.rows, log.last_id) == (2, 42), cut


# --- the report -----------------------------------------------------------------------------------


def make_results(sqlite_rate: float) -> dict[str, Measured]:
    bare_rounds = [each_round(rate) for rate in (900.0, 1_000.0, 1_100.0)]
    subjects = {BARE: bare_rounds, ingest.SUCCESS[SQLITE]: [each_round(sqlite_rate)] * 3}
    watched = {live.ALONE.on(SQLITE): [each_round(100)], live.WATCHED.on(SQLITE): [each_round(79)]}
    return {
        "ingest": Measured(3, 6, subjects, "2 cores", "2026-01-15"),
        "live": Measured(1, 4, watched, "2 cores", "2026-01-16"),
    }


def each_round(rate: float) -> Round:
    return {"rate": rate, "p50_ms": 3.0, "p99_ms": 9.0, "cpu_ms": 0.3, "errors": 0}


def judgements(results: dict[str, Measured]) -> dict[str, tuple[str, ...]]:
    return {name: rest for name, *rest in goals.rows(results)}  # type: ignore[misc]


@pytest.mark.parametrize(("rate", "held"), [(600.0, "yes"), (599.0, "**no**")])
def test_a_goal_is_judged_by_the_median_of_the_rounds_ratios(rate: float, held: str) -> None:
    found = judgements(make_results(rate))["throughput, run-success, SQLite, of bare"]
    assert list(found) == ["≥ 0.60", "0.60", held]


def test_a_slow_minute_of_the_machine_changes_no_ratio() -> None:
    quick, slow = each_round(1_000), each_round(500)
    subject = [each_round(700), each_round(350), each_round(360)]
    measured = Measured(3, 6, {BARE: [quick, slow, slow], "subject": subject}, "2 cores", "")
    assert measured.ratios("subject", BARE, "rate") == [0.7, 0.7, 0.72]
    assert measured.ratio("subject", BARE, "rate") == 0.7
    assert measured.ratio("nobody", BARE, "rate") is None


def test_what_was_not_measured_is_no_goal_missed() -> None:
    found = judgements(make_results(700))
    assert list(found["p99, run-success, PostgreSQL, of bare"]) == ["≤ 1.50", "not measured", ""]
    assert list(found["throughput with 200 live logs, SQLite, of alone"])[1:] == ["0.79", "**no**"]


def test_the_report_has_a_section_for_each_part_that_was_measured() -> None:
    page = render(make_results(700))
    titles = re.findall(r"^## (.+)$", page, re.M)
    assert titles == ["Goals", "Ingest", "Beside the worker and live logs"]
    bare = "1,000 | 900 – 1,100 | 1.00 | 1.00 – 1.00 | 3.0 | 9.0 | 1.00 | 1.00 – 1.00 | 0"
    assert f"| bare Flask view | {bare} |" in page
    assert "Machine: 2 cores. Date: 2026-01-15." in page
    assert "nan" not in page


def test_the_document_shows_the_last_results() -> None:
    results = last_results()
    assert not results or FILE.read_text() == render(results)


def test_each_part_has_its_section() -> None:
    assert list(PARTS) == list(SECTIONS)


def test_no_two_goals_have_one_name() -> None:
    names = [goal.name for goal in goals.GOALS]
    assert sorted(set(names)) == sorted(names)


def test_figures_are_kept_short() -> None:
    assert _rounded({"a": [1.23456789, 7]}) == {"a": [1.23457, 7]}

"""/metrics: who may read it, what it tells, and that it costs little."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.channels.courier import claim_due, record_one
from app.channels.records import Outcome
from app.clock import now
from app.extensions import db, writing
from app.ingest.service import ingest_service
from app.models import (
    Channel,
    Event,
    Tally,
    UnstoredCount,
    WorkerHeartbeat,
    Workflow,
    Workspace,
)
from app.processing import tallying
from app.processing.batch import process_batch
from app.processing.tallying import WINDOW, tally
from app.processing.worker import Worker
from tests.channels.deliveries import post_to, store_channels
from tests.factories import Team, make_alert, make_team, report
from tests.programs import find
from tests.server import ROOT

TOKEN = "a token of Prometheus' own".replace(" ", "-").replace("'", "")
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HOSTILE = 'quote" back\\slash\nnew{line} é ☃ } 1'

ADVANCE = tallying._advance

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Any:
    app = make_app(FLOWPULSE_METRICS_TOKEN=TOKEN)
    with app.app_context():
        yield app
        db.session.remove()


def scrape(client: FlaskClient) -> Values:
    answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    found: Values = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, "Prometheus refuses the same series twice"
            found[key] = sample.value
    return found


def value(values: Values, name: str, **labels: str) -> float:
    (found,) = [
        number
        for (each, own), number in values.items()
        if each == f"flowpulse_{name}" and labels.items() <= dict(own).items()
    ]
    return found


def names(values: Values) -> set[str]:
    return {name for name, _ in values}


def test_without_a_token_there_are_none_and_the_answer_says_how_to_have_them(
    make_app: Callable[..., Flask],
) -> None:
    answer = make_app().test_client().get("/metrics", headers={"Authorization": "Bearer "})
    assert (answer.status_code, answer.json["code"]) == (404, "metrics_off")
    assert "FLOWPULSE_METRICS_TOKEN" in answer.json["detail"]
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "é"],
)
def test_another_token_opens_nothing(client: FlaskClient, header: str) -> None:
    answer = client.get("/metrics", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "metrics_refused")
    assert answer.headers["WWW-Authenticate"] == "Bearer" and TOKEN not in answer.text


def test_a_key_of_the_api_or_a_session_opens_nothing(client: FlaskClient) -> None:
    assert client.get("/metrics", headers=make_team().headers).status_code == 401


def test_requests_are_counted_by_code_and_stay_counted_when_they_are_removed(
    app: Flask, client: FlaskClient
) -> None:
    team = make_team()
    for _ in range(3):
        assert report(client, team).status_code == 202
    for _ in range(2):
        client.post("/api/v1/ingest/run-success", data="{", headers=team.headers)
    ingest_service().recorder.flush()
    assert tally() is False
    for _ in range(2):
        values = scrape(client)
        assert value(values, "requests_accepted_total") == 3
        assert value(values, "requests_rejected_total", code="invalid_json") == 2
        with writing() as session:
            session.execute(delete(Event))
        tally()


def test_what_was_refused_and_only_counted_is_added_once_its_minute_is_over(app: Flask) -> None:
    begin = now().replace(second=0, microsecond=0) - timedelta(minutes=30)
    with writing() as session:
        for number, age in ((5, 0), (7, 1), (100, 29)):
            at = begin + timedelta(minutes=age)
            session.add(UnstoredCount(minute_at=at, code="rate_limited", count=number))
    for _ in range(2):
        tally()
        counted = db.session.scalar(select(Tally.count).where(Tally.about == "rate_limited"))
        assert counted == 12, "the present minute may still grow"
        db.session.rollback()


def test_a_long_log_is_counted_window_by_window_and_nothing_twice(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert WINDOW > 1_000
    monkeypatch.setattr("app.processing.tallying.WINDOW", 2)
    team = make_team()
    for _ in range(5):
        report(client, team)
    assert [tally(), tally(), tally(), tally()] == [True, True, False, False]
    assert value(scrape(client), "requests_accepted_total") == 5


def second_to_advance(session: Session, *given: Any) -> bool:
    assert ADVANCE(session, *given)
    return ADVANCE(session, *given)


def test_two_workers_do_not_count_the_same(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other counts between this one's look and its writing."""
    team = make_team()
    for round_ in range(2):
        report(client, team)
        monkeypatch.setattr(tallying, "_advance", second_to_advance)
        tally()
        monkeypatch.undo()
        counted = db.session.scalar(select(Tally.count).where(Tally.what == "accepted"))
        assert (counted or 0) == 0, f"round {round_}: the other has it"
        db.session.rollback()


def test_the_workers_round_counts(app: Flask, client: FlaskClient) -> None:
    report(client, make_team())
    Worker().watch()
    assert value(scrape(client), "requests_accepted_total") == 1


def test_runs_their_durations_and_their_last_are_told_by_workflow(
    app: Flask, client: FlaskClient
) -> None:
    team = make_team()
    ended = now()
    for outcome, seconds in (("success", 10), ("success", 20), ("failure", 30)):
        started = (ended - timedelta(seconds=seconds)).isoformat()
        ended += timedelta(milliseconds=1)
        given = {"started_at": started, "ended_at": ended.isoformat()}
        assert report(client, team, outcome, **given).status_code == 202
    assert value(scrape(client), "queue_events") == 3
    process_batch(100)
    values = scrape(client)
    assert value(values, "queue_events") == 0
    for outcome, count in (("success", 2), ("failure", 1)):
        assert value(values, "workflow_runs_24h", outcome=outcome) == count
    assert value(values, "workflow_duration_seconds", quantile="0.5") == pytest.approx(20, rel=0.05)
    assert value(values, "workflow_last_run_success") == 0
    told = value(values, "workflow_last_run_timestamp_seconds")
    assert told == pytest.approx(ended.timestamp(), abs=1)


def test_names_cannot_forge_a_line(app: Flask, client: FlaskClient) -> None:
    team = make_team()
    report(client, team)
    process_batch(10)
    with writing() as session:
        session.execute(update(Workflow).values(name=HOSTILE))
        session.execute(update(Workspace).values(name=HOSTILE))
    values = scrape(client)
    assert value(values, "workflow_last_run_success", workflow=HOSTILE, workspace=HOSTILE) == 1


def test_workspaces_of_one_name_have_series_of_their_own(app: Flask, client: FlaskClient) -> None:
    for team in (make_team(), make_team(first=False)):
        report(client, team)
    process_batch(10)
    with writing() as session:
        session.execute(update(Workflow).values(name="Same"))
        session.execute(update(Workspace).values(name="Same"))
    assert sum(name == "flowpulse_workflow_last_run_success" for name, _ in scrape(client)) == 2


def test_messages_are_counted_by_channel_and_outcome(app: Flask, client: FlaskClient) -> None:
    deliver_one(make_team())
    values = scrape(client)
    assert value(values, "deliveries_waiting") == 1
    assert value(values, "deliveries_total", channel="0 On call", outcome="delivered") == 1
    assert value(values, "deliveries_total", kind="webhook") == 1


def test_the_worker_the_queue_and_the_disk_are_told(app: Flask, client: FlaskClient) -> None:
    values = scrape(client)
    age = value(values, "worker_heartbeat_age_seconds")
    assert age != age, "NaN: there is none"
    Worker().beat()
    with writing() as session:
        session.execute(update(WorkerHeartbeat).values(seen_at=now() - timedelta(seconds=42)))
    report(client, make_team())
    with writing() as session:
        session.execute(update(Event).values(next_attempt_at=now() - timedelta(seconds=90)))
    values = scrape(client)
    assert 42 <= value(values, "worker_heartbeat_age_seconds") < 60
    assert 90 <= value(values, "queue_lag_seconds") < 110
    assert 0 < value(values, "disk_free_bytes") < value(values, "disk_size_bytes")
    assert value(values, "build_info", version=app.config["FLOWPULSE_VERSION"]) == 1


@pytest.fixture
def busy(app: Flask, client: FlaskClient) -> FlaskClient:
    """Of a server on which each thing has happened."""
    team = make_team()
    begun, ended = ((now() - timedelta(seconds=each)).isoformat() for each in (5, 0))
    assert report(client, team, started_at=begun, ended_at=ended).status_code == 202
    client.post("/api/v1/ingest/run-success", data="{", headers=team.headers)
    ingest_service().recorder.flush()
    process_batch(10)
    tally()
    deliver_one(team)
    make_alert(team.workspace_id, team.workflow_id)
    return client


def deliver_one(team: Team) -> None:
    """Of two messages one arrives."""
    store_channels(team.workspace_id, ["On call"])
    channel = db.session.scalars(select(Channel)).one()
    for _ in range(2):
        post_to(channel)
    first = claim_due(16, 8)[0]
    record_one(Outcome(first, now(), 12.0, 200, "ok", None))


def test_the_dashboard_and_the_document_name_what_there_is(busy: FlaskClient) -> None:
    everything = names(scrape(busy))
    dashboard = (ROOT / "deploy" / "grafana" / "flowpulse.json").read_text()
    document = (ROOT / "docs" / "monitoring.md").read_text()
    for text in (dashboard, document):
        named = set(re.findall(r"flowpulse_[a-z0-9_]+", text))
        assert named <= everything, named - everything
    assert everything <= set(re.findall(r"flowpulse_[a-z0-9_]+", document))


def test_each_panel_of_the_dashboard_has_its_place_and_asks_the_chosen_source() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "flowpulse.json").read_text())
    assert "__inputs" not in dashboard and dashboard["uid"] == "flowpulse"
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert target["expr"].count("(") == target["expr"].count(")")


def block(name: str) -> Any:
    document = (ROOT / "docs" / "monitoring.md").read_text()
    part = document.split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
    return yaml.safe_load(part.strip().removeprefix("```yaml").removesuffix("```"))


def test_the_scrape_config_of_the_document_asks_as_the_server_wants(
    make_app: Callable[..., Flask],
) -> None:
    (job,) = block("scrape")["scrape_configs"]
    login = job["authorization"]
    client = make_app(FLOWPULSE_METRICS_TOKEN=login["credentials"]).test_client()
    header = {"Authorization": f"{login['type']} {login['credentials']}"}
    path = job.get("metrics_path", "/metrics")
    assert client.get(path, headers=header).status_code == 200
    (group,) = block("rules")["groups"]
    assert all({"alert", "expr"} <= set(rule) for rule in group["rules"])


def promtool(*arguments: str, stdin: str | None = None) -> None:
    """Prometheus' own judge says nothing, or that all is well."""
    command = [find("promtool"), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_own_lint_finds_nothing(busy: FlaskClient) -> None:
    promtool("check", "metrics", stdin=busy.get("/metrics", headers=BEARER).text)


def test_prometheus_understands_the_documents_files_and_each_query_of_the_dashboard(
    tmp_path: Path,
) -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "flowpulse.json").read_text())
    queries = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    chosen = [query.replace("$workspace", ".*") for query in sorted(queries)]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(chosen)]
    files = {
        "scrape.yml": block("scrape"),
        "rules.yml": block("rules"),
        "panels.yml": {"groups": [{"name": "panels", "rules": rules}]},
    }
    for name, document in files.items():
        (tmp_path / name).write_text(yaml.safe_dump(document))
    promtool("check", "config", "--syntax-only", str(tmp_path / "scrape.yml"))
    promtool("check", "rules", str(tmp_path / "rules.yml"), str(tmp_path / "panels.yml"))

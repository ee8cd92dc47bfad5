"""`python -m bench.events URL N`: fills a migrated database with N realistic events, quickly.

`--measure` then times the live log with each kind of filter and prints the table.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flask import Flask
from sqlalchemy import func, insert, select, text

from app.clock import now
from app.extensions import db, is_sqlite, writing
from app.identifiers import new_id
from app.models import ApiKey, Event, Run, Workflow
from app.processing.error_groups import find_error_group
from app.processing.rollups import Contribution, add_up
from app.workspaces.api_keys import create_api_key
from app.workspaces.workflows import create_workflow
from bench.servers import collect_as_served
from tests.apps import close_app, make_app
from tests.console.pages import sign_in
from tests.factories import Team, make_team

CHUNK = 5_000
DAYS = 30
WORKFLOWS = 20
KEYS = 6
PLATFORMS = ("n8n", "n8n", "n8n", "make", "zapier", "cron", "python", None)
ERRORS = (
    "429 Too Many Requests from the CRM",
    "getaddrinfo ENOTFOUND api.crm.example",
    "Timeout after 30000 ms",
    "The order has no delivery address",
)
PROBLEMS = (
    ("validation_failed", 400, "missing", "ended_at"),
    ("workflow_not_found", 404, "workflow_not_found", "workflow_slug"),
    ("invalid_json", 400, "json_trailing_comma", "body"),
    ("unknown_api_key", 401, None, None),
)
REJECTED_SHARE, FAILED_SHARE, FAILURE_SHARE = 0.02, 0.0005, 0.05
ROUNDS = 20
NEEDLE = "needle-in-the-oldest-event"


def fill(
    team: Team,
    count: int,
    seed: int = 1,
    until: datetime | None = None,
    span: timedelta = timedelta(days=DAYS),
) -> None:
    """Insert so many events of the time up to then, the runs of those that made one, and what the
    worker would have added to the sums."""
    random, until = Random(seed), until or now()
    workflows, keys = _make_senders(team)
    run_id = db.session.scalar(select(func.max(Run.id))) or 0
    event_id = db.session.scalar(select(func.max(Event.id))) or 0
    for start in range(0, count, CHUNK):
        events, runs = [], []
        for number in range(start, min(start + CHUNK, count)):
            at = until - span * (1 - number / count)
            event, run = _make(random, team, number, at, workflows, keys)
            event["id"] = (event_id := event_id + 1)
            if run is not None:
                run["id"] = event["run_id"] = (run_id := run_id + 1)
                run["decided_by_event_id"] = event_id
                runs.append(run)
            events.append(event)
        with writing() as session:
            if runs:
                session.execute(insert(Run.__table__), runs)  # type: ignore[arg-type]
            session.execute(insert(Event.__table__), events)  # type: ignore[arg-type]
            added = (each for run in runs for each in Contribution.list_of(run))
            add_up(session, added, until)
    settle()


def _make_senders(team: Team) -> tuple[list[int], list[int]]:
    for number in range(WORKFLOWS):
        create_workflow(team.workspace_id, f"Workflow {number} {new_id()[-4:]}")
    for number in range(KEYS):
        create_api_key(team.workspace_id, f"key {number} {new_id()[-4:]}")
    mine = {"workspace_id": team.workspace_id}
    return (
        list(db.session.scalars(select(Workflow.id).filter_by(**mine).order_by(Workflow.id))),
        list(db.session.scalars(select(ApiKey.id).filter_by(**mine).order_by(ApiKey.id))),
    )


Row = dict[str, Any]


def _make(
    random: Random, team: Team, number: int, at: datetime, workflows: list[int], keys: list[int]
) -> tuple[Row, Row | None]:
    chance = random.random()
    kind = "failure" if random.random() < FAILURE_SHARE else "success"
    platform = random.choice(PLATFORMS)
    # The last ones are rare: one event in a few thousand.
    workflow_id = workflows[min(int(random.expovariate(0.35)), len(workflows) - 1)]
    fields: Row = {
        "workflow_slug": f"workflow-{workflow_id}",
        "ended_at": at.isoformat(),
        "external_execution_id": f"run_{number:08d}-{new_id()[-6:]}",
        "source_platform": platform,
        "metadata": {"items": random.randint(0, 500), "note": "x" * random.randint(10, 60)},
    }
    if kind == "failure":
        fields["error_message"] = random.choice(ERRORS)
    fields["duration_ms"] = round(random.lognormvariate(7, 0.8), 1)
    if number == 0:
        fields["metadata"]["note"] = NEEDLE
    event: Row = {
        "public_id": new_id(),
        "workspace_id": team.workspace_id,
        "api_key_id": random.choice(keys),
        "workflow_id": workflow_id,
        "received_at": at,
        "state": "processed",
        "kind": f"run-{kind}",
        "platform": platform,
        "origin": None,
        "method": "POST",
        "path": f"/api/v1/ingest/run-{kind}",
        "headers": [["Host", "flowpulse.example"], ["Content-Type", "application/json"]],
        "body": json.dumps(fields).encode(),
        "body_size": None,
        "remote_addr": "10.0.0.7",
        "user_agent": "n8n",
        "status": 202,
        "code": None,
        "detail": None,
        "errors": None,
        "reference": None,
        "execution_id": None,
        "fingerprint": None,
        "took_ms": 1.5,
        "payload": fields,
        "attempts": 1,
        "processed_at": at,
        "failure": None,
        "run_id": None,
    }
    if chance < REJECTED_SHARE:
        return _refuse(random, event), None
    if chance < REJECTED_SHARE + FAILED_SHARE:
        return {**event, "state": "failed", "failure": "KeyError: 'ended_at'", "attempts": 5}, None
    return event, _run_of(event, fields, kind)


def _refuse(random: Random, event: Row) -> Row:
    code, status, error, field = random.choice(PROBLEMS)
    entry = {"field": field, "code": error, "message": f"{field} is wrong.", "fix": "Mend it."}
    return event | {
        "state": "rejected",
        "status": status,
        "code": code,
        "detail": f"{field} is wrong." if error else "There is no such key.",
        "errors": [entry] if error else None,
        "reference": event["payload"]["workflow_slug"],
        "execution_id": event["payload"]["external_execution_id"],
        "fingerprint": f"{random.randint(0, 40):016x}",
        "payload": None,
        "workflow_id": None,
        "attempts": 0,
        "processed_at": None,
    }


def _run_of(event: Row, fields: Row, kind: str) -> Row:
    return {
        "public_id": new_id(),
        "workspace_id": event["workspace_id"],
        "workflow_id": event["workflow_id"],
        "external_execution_id": fields["external_execution_id"],
        "outcome": kind,
        "ended_at": event["received_at"],
        "duration_ms": fields["duration_ms"],
        "source_platform": fields["source_platform"],
        "error_message": fields.get("error_message"),
        "error_group": find_error_group(None, fields.get("error_message")),
        "event_count": 1,
        "is_test": False,
        "created_at": event["received_at"],
        "updated_at": event["received_at"],
    }


def settle() -> None:
    """PostgreSQL learns which ids are taken and what the tables look like; SQLite the latter."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if is_sqlite():
            return
        for table in ("events", "runs"):
            largest = f"(SELECT max(id) FROM {table})"  # noqa: S608
            sequence = f"pg_get_serial_sequence('{table}', 'id')"
            connection.execute(text(f"SELECT setval({sequence}, {largest})"))
        connection.execute(text("VACUUM ANALYZE"))


# --- how long the log takes ---------------------------------------------------------------------


def list_filters(team: Team) -> dict[str, str]:
    """A URL of each kind of filter, the common and the rare."""
    common, rare = (
        db.session.scalar(
            select(Workflow.public_id)
            .where(Workflow.workspace_id == team.workspace_id)
            .order_by(order)
            .limit(1)
        )
        for order in (Workflow.id, Workflow.id.desc())
    )
    key = db.session.scalar(select(ApiKey.public_id).order_by(ApiKey.id).limit(1))
    oldest = db.session.scalar(select(Event.public_id).order_by(Event.id).limit(1))
    execution = db.session.scalar(select(Run.external_execution_id).order_by(Run.id).limit(1))
    middle = now() - timedelta(days=15)
    since, until = (f"{each:%Y-%m-%dT%H:%M}Z" for each in (middle, middle + timedelta(hours=1)))
    return {
        "no filter": "",
        "state, common": "state=processed",
        "state, rare": "state=failed",
        "code": "code=workflow_not_found",
        "code of a field": "code=missing",
        "code, none fits": "code=rate_limited",
        "problem": f"problem={7:016x}",
        "workflow, common": f"workflow={common}",
        "workflow, rare": f"workflow={rare}",
        "key": f"key={key}",
        "no known key": "key=none",
        "platform": "platform=zapier",
        "platform, none fits": "platform=nobody",
        "outcome": "outcome=failure",
        "last 15 minutes": "period=15m",
        "last 7 days": "period=7d",
        "until 15 days ago": f"until={since}",
        "one hour, 15 days ago": f"since={since}&until={until}",
        "text, common": "q=Timeout",
        "text, the oldest event alone": f"q={NEEDLE}",
        "text, none fits": "q=no-such-text",
        "text, the oldest event's id": f"q={oldest}",
        "text, the oldest run's execution id": f"q={execution}",
        "text and failures": "q=ENOTFOUND&outcome=failure",
        "page in the middle": "before=500000",
    }


def measure(app: Flask, team: Team) -> Iterator[tuple[str, float, float, bool]]:
    """Median and p95 of the whole page in milliseconds, and whether the search had to stop."""
    client = app.test_client()
    sign_in(client, team.email)
    collect_as_served()
    for name, query in list_filters(team).items():
        times, stopped = [], False
        for _ in range(ROUNDS):
            started = time.perf_counter()
            answer = client.get(f"/events?{query}")
            times.append((time.perf_counter() - started) * 1_000)
            stopped = "Searched back to" in answer.text
            if answer.status_code != 200:
                raise SystemExit(f"{name}: {answer.status_code}")
        yield name, statistics.median(times), statistics.quantiles(times, n=20)[-1], stopped


def _report(app: Flask, team: Team, show: Callable[[str], None]) -> None:
    show("| Filter | Median | p95 | Goes on |\n|---|---|---|---|")
    for name, median, p95, stopped in measure(app, team):
        show(f"| {name} | {median:.0f} ms | {p95:.0f} ms | {'yes' if stopped else ''} |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.events", description=__doc__)
    parser.add_argument("url", help="of a migrated, empty database")
    parser.add_argument("count", type=int)
    parser.add_argument("--measure", action="store_true", help="time the live log")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(options.url, Path(folder))
        with app.app_context():
            team = make_team()
            started = time.monotonic()
            fill(team, options.count)
            print(f"{options.count:,} events in {time.monotonic() - started:.0f} s", flush=True)
            if options.measure:
                _report(app, team, lambda line: print(line, flush=True))
            db.session.remove()
        close_app(app)


if __name__ == "__main__":
    main()

"""`demo`: a month that looks real, agrees with itself, and goes without a trace."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.clock import now
from app.console.event_text import contains_code
from app.extensions import db
from app.models import (
    Alert,
    AlertRule,
    ApiKey,
    AuditEntry,
    Channel,
    Delivery,
    Event,
    KeyUsage,
    MaintenanceWindow,
    Rollup,
    Run,
    Workflow,
)
from app.processing.batch import process_batch
from app.processing.rollups import PERIOD_STARTS, QUARTERS_KEPT
from app.processing.sweeping import prune
from tests.cli.conftest import Run as RunCommand
from tests.factories import make_team, report

Sums = dict[tuple[int, str, datetime], tuple[float, ...]]


def sums_from_runs() -> Sums:
    sums: dict[tuple[int, str, datetime], list[float]] = {}
    for run in db.session.scalars(select(Run)):
        for period, start_of in PERIOD_STARTS.items():
            if period == "quarter" and run.ended_at < now() - QUARTERS_KEPT:
                continue
            key = (run.workflow_id, period, start_of(run.ended_at))
            row = sums.setdefault(key, [0, 0, 0, 0])
            row[0] += run.outcome == "success"
            row[1] += run.outcome == "failure"
            row[2] += run.duration_ms is not None
            row[3] += run.duration_ms or 0
    return {key: tuple(row) for key, row in sums.items()}


def sums_from_rollups() -> Sums:
    return {
        (row.workflow_id, row.period, row.starts_at): (
            row.success_count,
            row.failure_count,
            row.timed_count,
            row.duration_sum_ms,
        )
        for row in db.session.scalars(select(Rollup))
        if row.success_count or row.failure_count
    }


def count(table: Any) -> int:
    return int(db.session.scalar(select(func.count()).select_from(table)) or 0)


def test_the_demo_is_a_month_that_agrees_with_itself_and_goes_without_a_trace(
    run: RunCommand, client: FlaskClient
) -> None:
    team = make_team()
    other = make_team(first=False)
    demo, remove = ("demo", "--workspace", "Team"), ("demo", "--remove", "--workspace", "Team")
    run("workflow", "create", "Looks like one (demo)", "--workspace", "Team")
    assert "There is no demo data" in run(*remove, exit_code=1).stderr

    before = size_of_every_table()
    made = json.loads(run(*demo, "--json").stdout)
    check_what_was_made(made)
    prune()  # Nothing of it is past its time.
    assert "already" in run(*demo, exit_code=1).stderr
    assert count(Event) == made["events"]

    kept = [report(client, each).json["event_id"] for each in (team, other)]
    removed = "Removed 6 workflows, {runs:,} runs, {events:,} events.\n"
    assert run(*remove).stdout == removed.format_map(made)
    grown = {name for name, size in size_of_every_table().items() if size != before[name]}
    assert grown <= {"audit_entries", "events", "key_usage"}  # The last ones by the two reports.
    noted = db.session.scalars(select(AuditEntry.what).order_by(AuditEntry.id.desc()).limit(2))
    assert list(noted) == ["demo_removed", "demo_made"]
    process_batch(10)
    assert list(db.session.scalars(select(Event.public_id).order_by(Event.id))) == kept
    assert (count(Run), count(Workflow), count(ApiKey)) == (2, 3, 2)
    assert sums_from_rollups() == sums_from_runs()
    run(*remove, exit_code=1)


def check_what_was_made(made: dict[str, int]) -> None:
    workflows = Workflow.query.filter_by(is_demo=True).all()
    assert made == {"workflows": 6, "runs": count(Run), "events": count(Event)}
    assert len(workflows) == 6 and all(each.name.endswith(" (demo)") for each in workflows)
    assert count(Run) > 3000
    assert sums_from_rollups() == sums_from_runs()
    check_events_against_runs()
    check_that_it_looks_real()
    check_keys_against_events()
    check_alerts_against_runs()
    misnamed = Event.query.filter_by(code="workflow_not_found").all()
    assert len(misnamed) == 2 and {each.workflow_id for each in misnamed} == {None}
    assert process_batch(10) == 0  # And nothing of it is left for the worker to do or to send.
    states = {each.state for each in db.session.scalars(select(Delivery))}
    assert states >= {"delivered", "given_up"} and "waiting" not in states


def check_events_against_runs() -> None:
    states = Counter(db.session.scalars(select(Event.state)))
    codes = set(db.session.scalars(select(Event.code).where(Event.code.is_not(None))))
    told = db.session.scalar(select(func.sum(Run.event_count)))
    assert set(states) == {"processed", "rejected"} and states["processed"] == told
    assert len(codes) >= 5 and states["rejected"] >= 10
    arrivals = list(db.session.scalars(select(Event.received_at).order_by(Event.id)))
    assert arrivals == sorted(arrivals)
    assert timedelta(days=29) < arrivals[-1] - arrivals[0] < timedelta(days=31)
    assert arrivals[-1] <= now()
    warned = Event.query.filter(Event.warnings.is_not(None), contains_code("offset_missing"))
    assert warned.count()


def check_that_it_looks_real() -> None:
    runs = list(db.session.scalars(select(Run)))
    assert {run.source_platform for run in runs} == {"n8n", "make", "zapier", "cron"}
    assert any(run.previous_outcome == "failure" for run in runs)
    linked = Counter(run.correlation_id for run in runs if run.correlation_id)
    assert linked.most_common(1)[0][1] >= 2
    leads = [run for run in runs if run.workflow.slug == "lead-enrichment-demo"]
    by_day = [run for run in leads if 7 <= run.ended_at.hour < 18]
    weekend = [run for run in leads if run.ended_at.weekday() >= 5]
    assert len(by_day) > len(leads) * 0.7 and len(weekend) < len(leads) * 0.2
    failures = Counter(run.ended_at.date() for run in runs if run.outcome == "failure")
    assert max(failures.values()) >= 5
    assert 0.01 < sum(failures.values()) / len(runs) < 0.1
    assert all(run.duration_ms and run.duration_ms > 0 for run in runs)
    assert all(run.updated_at >= run.ended_at for run in runs)


def check_keys_against_events() -> None:
    demo_keys = select(ApiKey).where(ApiKey.public_id.startswith("demo"))
    old, new = db.session.scalars(demo_keys.order_by(ApiKey.id))
    assert new.replaces_id == old.id and old.revoked_at and new.revoked_at is None
    refused = Event.query.filter_by(code="revoked_api_key").all()
    assert len({each.fingerprint for each in refused}) == 1 and len(refused) == 3
    assert all(each.api_key_id == old.id and each.received_at > old.revoked_at for each in refused)
    known = Event.query.filter(Event.api_key_id.is_not(None)).count()
    assert db.session.scalar(select(func.sum(KeyUsage.count))) == known - len(refused)
    late = db.session.scalars(select(KeyUsage).where(KeyUsage.api_key_id == old.id))
    assert any(use.count > use.rotated_count for use in late)


def check_alerts_against_runs() -> None:
    failed = {
        (run.workflow_id, run.ended_at)
        for run in db.session.scalars(select(Run).where(Run.outcome == "failure"))
    }
    alerts = list(db.session.scalars(select(Alert)))
    assert len(alerts) >= 3 and all(alert.what for alert in alerts)
    assert all((alert.workflow_id, alert.began_at) in failed for alert in alerts)
    assert (count(AlertRule), count(MaintenanceWindow)) == (3, 1)
    (channel,) = db.session.scalars(select(Channel))
    assert channel.failing_since and channel.disabled_at and channel.disabled_at <= now()


def size_of_every_table() -> dict[str, int]:
    db.session.rollback()
    return {
        table.name: int(db.session.scalar(select(func.count()).select_from(table)) or 0)
        for table in db.metadata.sorted_tables
    }

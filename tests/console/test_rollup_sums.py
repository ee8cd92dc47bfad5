"""What charts show is what plain SQL says of the raw runs, in any zone, at any time."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement, delete, func, select

from app.console.outliers import find_outliers
from app.console.ranges import RANGES
from app.console.rollup_sums import (
    SHARES,
    Sum,
    count_workflows,
    merge_durations,
    of_workflow,
    of_workspace,
    read_sums,
)
from app.extensions import db, writing
from app.models import Rollup, Run, WorkspaceRollup
from app.processing.rollups import add_up
from app.processing.runs import Report, record_runs
from app.sketches import ACCURACY
from app.workspaces.workflows import create_workflow
from tests.factories import make_team

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
)
# Shortly after clocks were changed somewhere, and at an ordinary time.
MOMENTS = (
    datetime(2026, 3, 29, 7, 20, 5, tzinfo=UTC),
    datetime(2026, 4, 5, 3, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 6, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 11, 2, 0, 0, tzinfo=UTC),
    datetime(2026, 8, 15, 13, 37, tzinfo=UTC),
)
TOLD = st.tuples(
    st.integers(0, 1),  # which workflow
    st.one_of(st.integers(-60, 7 * 86_400), st.integers(0, 95 * 86_400)),  # seconds ago
    st.sampled_from([0, 1, 999_999]),
    st.sampled_from(["success", "success", "failure"]),
    st.one_of(st.none(), st.floats(0, 1e7), st.sampled_from([0.0, 800.0, 1_000.0, 9e6])),
    st.integers(0, 40),  # which execution: some are told of again and end at another time
    st.booleans(),
)


@pytest.fixture
def owners(app: Flask) -> tuple[int, tuple[int, int]]:
    team = make_team()
    return team.workspace_id, (
        team.workflow_id,
        create_workflow(team.workspace_id, "Other").id,
    )


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    told=st.lists(TOLD, min_size=1, max_size=60),
    zone=st.sampled_from(ZONES),
    at=st.sampled_from(MOMENTS),
    name=st.sampled_from(list(RANGES)),
)
def test_sums_and_percentiles_are_those_of_the_runs(
    owners: tuple[int, tuple[int, int]],
    told: list[tuple[Any, ...]],
    zone: str,
    at: datetime,
    name: str,
) -> None:
    workspace_id, workflow_ids = owners
    with writing() as session:
        for table in (Run, Rollup, WorkspaceRollup):
            session.execute(delete(table))
    reports = [
        make_report(number, workspace_id, workflow_ids, at, *each)
        for number, each in enumerate(told)
    ]
    for batch in (reports[: len(reports) // 2], reports[len(reports) // 2 :]):
        with writing() as session:
            contributions = record_runs(session, batch).contributions
            add_up(session, contributions, at)
    edges = RANGES[name].edges(at, ZoneInfo(zone))
    check(read_sums(of_workspace(workspace_id), edges), edges, Run.workspace_id == workspace_id)
    check(read_sums(of_workflow(workflow_ids[0]), edges), edges, Run.workflow_id == workflow_ids[0])
    counts = count_workflows(workflow_ids, edges[0], edges[-1])
    sketches = merge_durations(workflow_ids, edges[0], edges[-1])
    totals = {each: counts[each].plus(Sum(0, 0, sketches[each])) for each in workflow_ids}
    for workflow_id in workflow_ids:
        check([totals[workflow_id]], [edges[0], edges[-1]], Run.workflow_id == workflow_id)
        check_outliers(workflow_id, totals[workflow_id], edges[0], edges[-1])
    if RANGES[name].step == "day":
        check_dates(read_sums(of_workspace(workspace_id), edges), edges, ZoneInfo(zone))


def make_report(
    number: int,
    workspace_id: int,
    workflow_ids: Sequence[int],
    at: datetime,
    which: int,
    seconds_ago: int,
    microsecond: int,
    outcome: str,
    duration_ms: float | None,
    execution: int,
    has_execution: bool,
) -> Report:
    ended_at = (at - timedelta(seconds=seconds_ago)).replace(microsecond=microsecond)
    return Report(
        number,
        {
            "workspace_id": workspace_id,
            "workflow_id": workflow_ids[which],
            "external_execution_id": f"e-{execution}" if has_execution else None,
            "outcome": outcome,
            "previous_outcome": None,
            "started_at": None,
            "ended_at": ended_at,
            "stuck_since": None,
            "duration_ms": duration_ms,
            "source_platform": None,
            "source_workflow_id": None,
            "correlation_id": None,
            "error_type": None,
            "error_message": None,
            "error_group": None,
            "metadata": None,
            "kept_from": None,
            "decided_by_event_id": number,
            "event_count": 1,
            "is_test": number % 17 == 16,
            "created_at": at,
            "updated_at": at,
        },
    )


def check(sums: Sequence[Sum], edges: Sequence[datetime], mine: ColumnElement[bool]) -> None:
    """Each sum against SQL over the raw runs: those with runs one by one, all others at once."""
    counted = 0
    for found, (start, end) in zip(sums, pairwise(edges), strict=True):
        if not found.runs:
            continue
        inside = (mine, Run.is_test.is_(False), Run.ended_at >= start, Run.ended_at < end)
        by_outcome = dict(
            db.session.execute(
                select(Run.outcome, func.count()).where(*inside).group_by(Run.outcome)
            ).all()
        )
        assert found.successes == by_outcome.get("success", 0)
        assert found.failures == by_outcome.get("failure", 0)
        counted += found.runs
        ordered = select(Run.duration_ms).where(*inside, Run.duration_ms.is_not(None))
        durations = list(db.session.scalars(ordered.order_by(Run.duration_ms)))
        for share, estimate in zip(SHARES, found.percentiles, strict=True):
            if not durations:
                assert estimate is None
                continue
            true = durations[max(1, ceil(share * len(durations))) - 1]
            assert estimate is not None
            assert abs(estimate - true) <= true * (ACCURACY + 1e-9) + 0.001
    everything = (mine, Run.is_test.is_(False), Run.ended_at >= edges[0], Run.ended_at < edges[-1])
    assert counted == db.session.scalar(select(func.count(Run.id)).where(*everything))


def check_dates(sums: Sequence[Sum], edges: Sequence[datetime], zone: ZoneInfo) -> None:
    """Each run is on the day that a calendar in the zone shows at its end."""
    first = edges[0].astimezone(zone).date()
    last = (edges[-1] - timedelta(microseconds=1)).astimezone(zone).date()
    ends = db.session.scalars(select(Run.ended_at).where(Run.is_test.is_(False)))
    by_date = Counter(day for end in ends if first <= (day := end.astimezone(zone).date()) <= last)
    found = {
        start.astimezone(zone).date(): each.runs
        for start, each in zip(edges, sums, strict=False)
        if each.runs
    }
    assert found == dict(by_date)


def check_outliers(workflow_id: int, total: Sum, start: datetime, end: datetime) -> None:
    limit = 2 * (total.percentiles[1] or 0.0)
    found = find_outliers(workflow_id, limit, start, end)
    raw = select(Run.duration_ms).where(
        Run.workflow_id == workflow_id,
        Run.is_test.is_(False),
        Run.ended_at >= start,
        Run.ended_at < end,
        Run.duration_ms > limit,
    )
    expected = sorted(db.session.scalars(raw), reverse=True)
    assert [run.took_ms for run in found.runs] == expected[:40]

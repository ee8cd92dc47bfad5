"""The failures of the last 30 days, and of the good runs only those that decide.

Of a row of good runs only the first ones matter: one breaks a row of failures, and so many as a
rule wants end its alert. They are looked up after each failure, however many runs there are.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Float, String, TextualSelect, column, text
from sqlalchemy.orm import Session

from app.alerting import past_runs
from app.alerting.deciding import TOO_OLD
from app.alerting.past_runs import (
    PERIOD,
    Extent,
    PastRun,
    as_past,
    list_workflows,
    read_runs_of,
    select_runs,
)
from app.alerting.rulebook import Rulebook
from app.models import AlertRule, Run
from app.models.columns import BigId, UtcDateTime, sqlite_text

MOST = 10_000
"""Failures that are gone through, the newest: each may be an alert, which takes longer than a run.
"""
AT_ONCE = 1_000
"""Failures of one statement."""
_COLUMNS = "id, workflow_id, outcome, ended_at, duration_ms, public_id, created_at, updated_at"
_NEXT_SQLITE = f"""
SELECT {", ".join(f"runs.{name.strip()}" for name in _COLUMNS.split(","))}
FROM json_each(:gaps) AS gap CROSS JOIN runs ON runs.id IN (
  SELECT good.id FROM runs AS good INDEXED BY ix_runs_workflow_id_ended_at
  WHERE good.workflow_id = json_extract(gap.value, '$[0]')
  AND good.ended_at >= json_extract(gap.value, '$[2]')
  AND (good.ended_at > json_extract(gap.value, '$[2]')
    OR good.id > json_extract(gap.value, '$[1]'))
  AND good.ended_at <= json_extract(gap.value, '$[3]')
  AND good.outcome = 'success' AND NOT good.is_test
  ORDER BY good.ended_at, good.id LIMIT :most
)
"""  # noqa: S608
_NEXT_POSTGRESQL = f"""
SELECT good.*
FROM unnest(
  CAST(:workflows AS bigint[]), CAST(:ids AS bigint[]),
  CAST(:begins AS timestamptz[]), CAST(:ends AS timestamptz[])
) AS gap (workflow_id, id, begins_at, ends_at)
CROSS JOIN LATERAL (
  SELECT {_COLUMNS} FROM runs
  WHERE runs.workflow_id = gap.workflow_id
  AND runs.ended_at >= gap.begins_at
  AND (runs.ended_at > gap.begins_at OR runs.id > gap.id)
  AND runs.ended_at <= gap.ends_at
  AND runs.outcome = 'success' AND NOT runs.is_test
  ORDER BY runs.ended_at, runs.id LIMIT :most
) AS good
"""  # noqa: S608


class _Gap(NamedTuple):
    """Between a failure of a workflow, whose id and end these are, and the next one or now."""

    workflow_id: int
    id: int
    begins_at: datetime
    ends_at: datetime


def read_failures(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[PastRun], Extent]:
    """With the good runs that decide: the rule judges them as it would judge all runs.

    Where some runs were told of a day late, or before they ended, the order by their ends is not
    the one in which they count: of such a workflow all runs are read, as far as the bound allows.
    A single run that was told of before it ended, far from any failure by its sender's clock, is
    not noticed; it is then no part of what decides.
    """
    failures, back_to = _read_newest(session, book, rule, now)
    goods: dict[int, PastRun] = {}
    gaps = _list_gaps(failures, now)
    for start in range(0, len(gaps), AT_ONCE):
        if len(goods) > past_runs.MOST:
            back_to = max(back_to, gaps[start - 1].begins_at)
            break
        for past in _read_next(session, gaps[start : start + AT_ONCE], rule.recovery_after):
            goods[past.run.id] = past
    odd = {past.run.workflow_id for past in failures if past.is_ahead}
    odd |= {past.run.workflow_id for past in goods.values() if past.is_ahead or _is_late(past)}
    found = [*failures, *goods.values()]
    if odd:
        whole, extent = read_runs_of(session, sorted(odd), now)
        found = [past for past in found if past.run.workflow_id not in odd] + whole
        back_to = max(back_to, extent.back_to or back_to)
    found = [past for past in found if back_to < past.run.ended_at <= now]
    seen = sum(past.run.outcome == "failure" for past in found)
    return found, Extent(seen, back_to if back_to > now - PERIOD else None)


def _is_late(past: PastRun) -> bool:
    return past.told_at - past.run.ended_at > TOO_OLD


def _read_newest(
    session: Session, book: Rulebook, rule: AlertRule, now: datetime
) -> tuple[list[PastRun], datetime]:
    """The failures, the newest first, and since when they are all of them.

    They are read by when they were last told of, which is never before they count.
    """
    since = now - PERIOD
    query = (
        select_runs()
        .add_columns(Run.updated_at)
        .where(
            Run.workspace_id == rule.workspace_id, Run.outcome == "failure", Run.updated_at > since
        )
    )
    if rule.workflow_id is not None or rule.label is not None:
        # The sum keeps databases from reading along the workflows and sorting all of that.
        query = query.where((Run.workflow_id + 0).in_(list_workflows(session, book, rule)))
    newest = query.order_by(Run.updated_at.desc()).limit(MOST)
    rows = session.execute(newest).all()
    if len(rows) == MOST:
        since = max(since, min(rows[-1].updated_at, now))
    found = [as_past(row) for row in rows]
    found = [past for past in found if since < past.run.ended_at <= now]
    found.sort(key=lambda past: (past.run.ended_at, past.run.id), reverse=True)
    return found, since


def _list_gaps(failures: Sequence[PastRun], now: datetime) -> list[_Gap]:
    """Those after each of the failures, the newest first."""
    ends: dict[int, datetime] = {}
    gaps = []
    for run, *_ in failures:
        gaps.append(_Gap(run.workflow_id, run.id, run.ended_at, ends.get(run.workflow_id, now)))
        ends[run.workflow_id] = run.ended_at
    return gaps


def _read_next(session: Session, gaps: Sequence[_Gap], most: int) -> list[PastRun]:
    """The first good runs of each gap: one look-up each along an index, in one statement."""
    given: dict[str, Any] = {"most": max(most, 1)}
    if session.get_bind().dialect.name == "sqlite":  # It has no LATERAL.
        listed = [(*gap[:2], sqlite_text(gap[2]), sqlite_text(gap[3])) for gap in gaps]
        rows = session.execute(_with_types(_NEXT_SQLITE), {**given, "gaps": json.dumps(listed)})
    else:
        names = ("workflows", "ids", "begins", "ends")
        given |= {
            name: list(each) for name, each in zip(names, zip(*gaps, strict=True), strict=True)
        }
        rows = session.execute(_with_types(_NEXT_POSTGRESQL), given)
    return [
        as_past((*row[:3], min(row.ended_at, row.updated_at), *row[4:7], row.ended_at))
        for row in rows
    ]


def _with_types(statement: str) -> TextualSelect:
    return text(statement).columns(
        column("id", BigId),
        column("workflow_id", BigId),
        column("outcome", String()),
        column("ended_at", UtcDateTime()),
        column("duration_ms", Float()),
        column("public_id", String()),
        column("created_at", UtcDateTime()),
        column("updated_at", UtcDateTime()),
    )

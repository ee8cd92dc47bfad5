"""Run history and charts: groups of errors, sketches of durations, sums of workspaces, badges.

Revision ID: 0007
Revises: 0006
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from math import ceil, log
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
CHUNK = 2_000
QUARTERS_KEPT = timedelta(days=100)
IS_FAILURE = sa.text("outcome = 'failure'")
RUN_INDEXES: tuple[tuple[str, list[str], Any], ...] = (
    ("ix_runs_workspace_id_ended_at", ["workspace_id", "ended_at"], None),
    ("ix_runs_workflow_id_duration_ms", ["workflow_id", "duration_ms"], None),
    ("ix_runs_failure", ["error_group", "ended_at", "workspace_id", "workflow_id"], IS_FAILURE),
)
PERIOD_KNOWN = "ck_rollups_period_known"
SUMS = ("success_count", "failure_count", "timed_count", "duration_sum_ms")

RUNS = sa.table(
    "runs",
    sa.column("id", BIG_ID),
    sa.column("workspace_id", BIG_ID),
    sa.column("workflow_id", BIG_ID),
    sa.column("outcome", sa.String()),
    sa.column("ended_at", MOMENT),
    sa.column("duration_ms", sa.Float()),
    sa.column("is_test", sa.Boolean()),
    sa.column("error_type", sa.String()),
    sa.column("error_message", sa.Text()),
    sa.column("error_group", sa.String()),
)


def _rollups(name: str, owner: str) -> "sa.TableClause":
    sums = (sa.column(each, BIG_ID if each != "duration_sum_ms" else sa.Float()) for each in SUMS)
    return sa.table(
        name,
        sa.column(owner, BIG_ID),
        sa.column("period", sa.String()),
        sa.column("starts_at", MOMENT),
        *sums,
        sa.column("sketch", sa.LargeBinary()),
    )


ROLLUPS = _rollups("rollups", "workflow_id")
WORKSPACE_ROLLUPS = _rollups("workspace_rollups", "workspace_id")


def upgrade() -> None:
    op.add_column("runs", sa.Column("error_group", sa.String(16)))
    op.add_column("workflows", sa.Column("run_url", sa.String(500)))
    op.add_column("workflows", sa.Column("badge_token", sa.String(43)))
    with op.batch_alter_table("workflows") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_workflows_badge_token"), ["badge_token"])
    _change_rollups(("quarter", "hour", "day"), sa.String(4), sa.String(7), with_sketch=True)
    op.create_table(
        "workspace_rollups",
        sa.Column("workspace_id", BIG_ID, nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("success_count", BIG_ID, nullable=False),
        sa.Column("failure_count", BIG_ID, nullable=False),
        sa.Column("timed_count", BIG_ID, nullable=False),
        sa.Column("duration_sum_ms", sa.Float(), nullable=False),
        sa.Column("sketch", sa.LargeBinary()),
        sa.CheckConstraint(
            "period IN ('quarter', 'hour', 'day')", name=op.f("ck_workspace_rollups_period_known")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workspace_rollups_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "period", "starts_at", name=op.f("pk_workspace_rollups")
        ),
    )
    connection = op.get_bind()
    _group_errors(connection)
    _fill_rollups(connection)
    for name, columns, where in RUN_INDEXES:
        op.create_index(name, "runs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, _, _ in RUN_INDEXES:
        op.drop_index(name, "runs")
    op.drop_table("workspace_rollups")
    op.execute("DELETE FROM rollups WHERE period = 'quarter'")
    _change_rollups(("hour", "day"), sa.String(7), sa.String(4), with_sketch=False)
    with op.batch_alter_table("workflows") as batch_op:
        batch_op.drop_constraint(op.f("uq_workflows_badge_token"), type_="unique")
        batch_op.drop_column("badge_token")
        batch_op.drop_column("run_url")
    with op.batch_alter_table("runs") as batch_op:
        batch_op.drop_column("error_group")


def _change_rollups(
    periods: tuple[str, ...], old: sa.String, new: sa.String, *, with_sketch: bool
) -> None:
    with op.batch_alter_table("rollups") as batch_op:
        batch_op.drop_constraint(op.f(PERIOD_KNOWN), type_="check")
        batch_op.alter_column("period", existing_type=old, type_=new, existing_nullable=False)
        if with_sketch:
            batch_op.add_column(sa.Column("sketch", sa.LargeBinary()))
        else:
            batch_op.drop_column("sketch")
        batch_op.create_check_constraint(op.f(PERIOD_KNOWN), f"period IN {periods}")


# --- groups of errors, as app/processing/error_groups.py makes them -----------------------------

COMPARED = 1_000
QUOTES = (("'", "'"), ('"', '"'), ("`", "`"), ("“", "”"), ("‘", "’"), ("«", "»"))
QUOTED = "|".join(
    rf"(?<!\w){re.escape(start)}[^{re.escape(start + end)}\n]{{0,300}}{re.escape(end)}(?!\w)"
    for start, end in QUOTES
)
CHANGING = re.compile(
    rf"(?:{QUOTED})"
    r"|(?:[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)"
    r"|(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.,]{0,16}(?:Z|[+-]\d\d:?\d\d)?)?)"
    r"|(?:\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?:\b(?:0x[0-9a-fA-F]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,128}|"
    r"(?=[A-F]*\d)(?=\d*[A-F])[0-9A-F]{8,128})\b)"
    r"|(?:\b(?=[A-Za-z_-]{0,60}\d)(?=[\d_-]{0,60}[A-Za-z])[A-Za-z\d][\w-]{5,127}\b)"
    r"|(?:[+-]?\d+(?:[.,:]\d+)*)",
    re.ASCII,
)


def _pattern(message: str) -> str:
    start = " ".join(message[:COMPARED].split())
    return CHANGING.sub("…", start)


def _error_group(error_type: str | None, error_message: str | None) -> str | None:
    if not error_type and not error_message:
        return None
    parts = f"{_pattern(error_type or '')}\0{_pattern(error_message or '')}"
    return blake2b(parts.casefold().encode("utf-8", "replace"), digest_size=8).hexdigest()


def _group_errors(connection: sa.Connection) -> None:
    columns = RUNS.c
    failures = sa.select(columns.id, columns.error_type, columns.error_message)
    failures = failures.where(columns.outcome == "failure", columns.is_test.is_(sa.false()))
    failures = failures.order_by(columns.id).limit(CHUNK)
    put = (
        sa.update(RUNS)
        .where(columns.id == sa.bindparam("run_id"))
        .values(error_group=sa.bindparam("found"))
    )
    last = 0
    while rows := connection.execute(failures.where(columns.id > last)).all():
        found = [{"run_id": row[0], "found": _error_group(row[1], row[2])} for row in rows]
        connection.execute(put, found)
        last = rows[-1][0]


# --- sums with sketches, as app/processing/rollups.py keeps them --------------------------------

Sums = tuple[int, int, int, float, int]
Rows = dict[tuple[str, datetime], Sums]

ACCURACY, LEAST_MS, BITS = 0.04, 0.001, 32
LOG_GROWTH = log((1 + ACCURACY) / (1 - ACCURACY))


def _sketch(duration_ms: float | None) -> int:
    if duration_ms is None:
        return 0
    if duration_ms <= LEAST_MS:
        return 1
    return 1 << (BITS * max(1, ceil(log(duration_ms / LEAST_MS) / LOG_GROWTH)))


def _pack(sketch: int) -> bytes:
    if sketch <= 0:
        return b""
    lowest = ((sketch & -sketch).bit_length() - 1) // BITS
    counts = sketch >> (BITS * lowest)
    size = -(-counts.bit_length() // BITS) * 4
    return lowest.to_bytes(2, "little") + counts.to_bytes(size, "little")


def _fill_rollups(connection: sa.Connection) -> None:
    """Hours and days keep the counts that they have, which outlive the runs."""
    workflows = sa.text("SELECT id, workspace_id FROM workflows ORDER BY workspace_id, id")
    rows = connection.execute(workflows).all()
    for workspace_id, members in groupby(rows, key=lambda row: row[1]):
        of_workspace: Rows = {}
        for workflow_id, _ in members:
            sums = _sum_up(connection, workflow_id)
            _write_workflow(connection, workflow_id, sums)
            _add_workflow(connection, workflow_id, sums, of_workspace)
        _insert(connection, WORKSPACE_ROLLUPS, "workspace_id", workspace_id, of_workspace)


def _sum_up(connection: sa.Connection, workflow_id: int) -> Rows:
    columns = RUNS.c
    query = sa.select(columns.ended_at, columns.outcome, columns.duration_ms).where(
        columns.workflow_id == workflow_id, columns.is_test.is_(sa.false())
    )
    sums: Rows = {}
    for ended_at, outcome, duration_ms in connection.execute(query):
        failed, timed = outcome == "failure", duration_ms is not None
        one = (int(not failed), int(failed), int(timed), duration_ms or 0.0, _sketch(duration_ms))
        for key in _periods_of(ended_at):
            _add(sums, key, one)
    return sums


def _periods_of(ended_at: datetime) -> Iterator[tuple[str, datetime]]:
    at = ended_at.astimezone(UTC) if ended_at.tzinfo else ended_at.replace(tzinfo=UTC)
    quarter = at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
    if quarter >= datetime.now(UTC) - QUARTERS_KEPT:
        yield "quarter", quarter
    yield "hour", quarter.replace(minute=0)
    yield "day", quarter.replace(hour=0, minute=0)


def _add(rows: Rows, key: tuple[str, datetime], sums: Sums) -> None:
    a = rows.get(key, (0, 0, 0, 0.0, 0))
    b = sums
    rows[key] = (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])


def _write_workflow(connection: sa.Connection, workflow_id: int, sums: Rows) -> None:
    quarters = {key: each for key, each in sums.items() if key[0] == "quarter"}
    _insert(connection, ROLLUPS, "workflow_id", workflow_id, quarters)
    columns = ROLLUPS.c
    put = (
        sa.update(ROLLUPS)
        .where(columns.workflow_id == workflow_id)
        .where(columns.period == sa.bindparam("of_period"))
        .where(columns.starts_at == sa.bindparam("of_start"))
        .values(sketch=sa.bindparam("merged"))
    )
    found = [
        {"of_period": period, "of_start": _plain(connection, start), "merged": _pack(each[4])}
        for (period, start), each in sums.items()
        if period != "quarter"
    ]
    if found:
        connection.execute(put, found)


def _add_workflow(
    connection: sa.Connection, workflow_id: int, sums: Rows, of_workspace: Rows
) -> None:
    for key, each in sums.items():
        if key[0] == "quarter":
            _add(of_workspace, key, each)
    columns = ROLLUPS.c
    kept = sa.select(columns.period, columns.starts_at, *(columns[name] for name in SUMS)).where(
        columns.workflow_id == workflow_id, columns.period != "quarter"
    )
    for period, start, *counts in connection.execute(kept):
        key = (period, start.astimezone(UTC) if start.tzinfo else start.replace(tzinfo=UTC))
        sketch = sums[key][4] if key in sums else 0
        _add(of_workspace, key, (counts[0], counts[1], counts[2], counts[3], sketch))


def _insert(
    connection: sa.Connection, table: "sa.TableClause", owner: str, owner_id: int, rows: Rows
) -> None:
    values = [
        {
            owner: owner_id,
            "period": period,
            "starts_at": _plain(connection, start),
            **dict(zip(SUMS, each[:4], strict=True)),
            "sketch": _pack(each[4]),
        }
        for (period, start), each in sorted(rows.items())
    ]
    for first in range(0, len(values), CHUNK):
        connection.execute(sa.insert(table), values[first : first + CHUNK])


def _plain(connection: sa.Connection, moment: datetime) -> datetime:
    """As the app's own type writes it: SQLite keeps no zone."""
    return moment.replace(tzinfo=None) if connection.dialect.name == "sqlite" else moment

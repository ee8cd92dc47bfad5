"""On PostgreSQL the events are kept in a table a month; on SQLite nothing changes.

The table that is there becomes the partition of all that came before the next month begins: no row
is copied and no index is made anew. Its rows are read twice, for the latest and to be sure.

Revision ID: 0013
Revises: 0012
"""

import re
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OTHER = "events_other"
NAMES = {"id": "pk_events", "public_id": "uq_events_public_id"}
"""What each partition has of its own, as PostgreSQL can't keep it unique over all of them."""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
    latest = op.get_bind().scalar(sa.text("SELECT max(received_at) FROM events"))
    end = _next_month(max(latest or datetime.now(UTC), datetime.now(UTC)))
    old = f"events_until_{end - timedelta(days=1):%Y_%m}"
    _make_parent(old)
    op.execute(f"CREATE TABLE {OTHER} (LIKE {old} INCLUDING ALL)")
    op.execute(f"ALTER TABLE events ATTACH PARTITION {OTHER} DEFAULT")
    _name_indexes(OTHER)
    if latest is None:
        op.execute(f"DROP TABLE {old}")
        _make_month((end - timedelta(days=1)).replace(day=1))
    else:
        op.execute(
            f"ALTER TABLE events ATTACH PARTITION {old} FOR VALUES FROM (MINVALUE) TO ('{end}')"
        )
    _make_month(end)
    op.execute("ANALYZE events")


def _make_parent(old: str) -> None:
    """An empty table like the old one, which takes over its name, its indexes' and its sequence."""
    connection = op.get_bind()
    foreign_keys = connection.execute(
        sa.text(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = 'events'::regclass AND contype = 'f'"
        )
    ).all()
    indexes = connection.execute(
        sa.text(
            "SELECT relname, pg_get_indexdef(oid), indisunique FROM pg_index "
            "JOIN pg_class ON oid = indexrelid WHERE indrelid = 'events'::regclass"
        )
    ).all()
    op.execute(f"ALTER TABLE events RENAME TO {old}")
    for name, _, _ in indexes:
        op.execute(f"ALTER INDEX {name} RENAME TO {name}{_ending(old)}")
    op.execute(
        f"CREATE TABLE events (LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
        "INCLUDING STORAGE) PARTITION BY RANGE (received_at)"
    )
    op.execute("ALTER SEQUENCE events_id_seq OWNED BY events.id")
    for name, definition in foreign_keys:
        op.execute(f"ALTER TABLE events ADD CONSTRAINT {name} {definition}")
    for _, definition, is_unique in indexes:
        if not is_unique:
            op.execute(re.sub(r" ON \S+ ", " ON events ", definition, count=1))


def _make_month(start: datetime) -> None:
    name = f"events_{start:%Y_%m}"
    op.execute(f"CREATE TABLE {name} (LIKE {OTHER} INCLUDING ALL)")
    op.execute(
        f"ALTER TABLE events ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{start}') TO ('{_next_month(start)}')"
    )
    _name_indexes(name)


def _name_indexes(table: str) -> None:
    for name, whole in _list_indexes(table):
        op.execute(f"ALTER INDEX {name} RENAME TO {whole}{_ending(table)}")


def _ending(table: str) -> str:
    return table.removeprefix("events")


def _list_indexes(table: str) -> list[tuple[str, str]]:
    """A partition's indexes, each with the one of `events` that it is a part of."""
    statement = sa.text(
        "SELECT own.relname, whole.relname FROM pg_index "
        "JOIN pg_class own ON own.oid = indexrelid JOIN pg_inherits ON inhrelid = own.oid "
        "JOIN pg_class whole ON whole.oid = inhparent WHERE indrelid = CAST(:name AS regclass)"
    )
    return [tuple(row) for row in op.get_bind().execute(statement, {"name": table})]


def _next_month(moment: datetime) -> datetime:
    first = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def downgrade() -> None:
    """The largest partition becomes the table again, and the rows of the others go into it."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    op.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
    largest, *others = connection.scalars(
        sa.text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
            "WHERE inhparent = 'events'::regclass ORDER BY pg_relation_size(oid) DESC, relname"
        )
    ).all()
    indexes = _list_indexes(largest)
    for name in (largest, *others):
        op.execute(f"ALTER TABLE events DETACH PARTITION {name}")
    for name in others:
        op.execute(f"INSERT INTO {largest} SELECT * FROM {name}")
        op.execute(f"DROP TABLE {name}")
    op.execute(f"ALTER SEQUENCE events_id_seq OWNED BY {largest}.id")
    op.execute("DROP TABLE events")
    op.execute(f"ALTER TABLE {largest} RENAME TO events")
    for name, former in indexes:
        op.execute(f'ALTER INDEX "{name}" RENAME TO {former}')
    _name_unique_ones()


def _name_unique_ones() -> None:
    named = op.get_bind().execute(
        sa.text(
            "SELECT conname, attname FROM pg_constraint "
            "JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] "
            "WHERE conrelid = 'events'::regclass AND contype IN ('p', 'u')"
        )
    )
    for name, column in named.all():
        if name != NAMES[column]:
            op.execute(f'ALTER TABLE events RENAME CONSTRAINT "{name}" TO {NAMES[column]}')

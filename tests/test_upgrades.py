"""A database that has seen every version keeps all its rows through every upgrade, and then works.

Each migration stands for a version, and what a tagged one had of them must not be changed. What an
installation of that time may have in its tables is put in at each of them, so that each later
migration finds rows of all before it. Whole databases of releases, as the app has filled them, are
upgraded in tests/releases/.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
)

from app.cli.migrations import MIGRATIONS
from app.doctor.database_health import check_key_of_database, check_migrations, check_partitions
from app.extensions import db, is_sqlite
from app.models import Membership, Workflow
from app.models.partitioning import PARTITION
from app.processing.batch import process_batch
from app.processing.partitions import tend_partitions
from app.workspaces.api_keys import create_api_key
from tests.apps import close_app, make_app
from tests.console.pages import Page
from tests.programs import git
from tests.server import ROOT
from tests.sessions import make_client

BEGIN = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "alert_rules.kind": "failed",
    "alerts.kind": "failed",
    "audit_entries.actor": "command line",
    "audit_entries.what": "workspace_renamed",
    "channels.kind": "webhook",
    "deliveries.state": "delivered",
    "events.state": "processed",
    "instance.id": 1,
    "invitations.role": "viewer",
    "memberships.role": "owner",
    "messages.kind": "alert",
    "purges.what": "success",
    "purges.why": "age",
    "rollups.period": "hour",
    "runs.ended_at": BEGIN,
    "runs.outcome": "success",
    "schedules.every_seconds": 60,
    "schedules.kind": "interval",
    "schedules.time_zone": "UTC",
    "workspace_rollups.period": "hour",
}
"""What has to be one of a few, by table and column."""
JSON_TEXTS = {"headers": "[]", "facts": "[]", "numbers": "{}", "detail": "{}", "answer": "{}"}
ONE_ROW = frozenset({"instance", "tally_marks", "backup_turns"})
Keys = dict[str, set[tuple[Any, ...]]]


def revisions() -> list[str]:
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return [script.revision for script in scripts][::-1]


@pytest.fixture
def old_app(empty_database_url: str, tmp_path: Path) -> Iterator[Flask]:
    app = make_app(empty_database_url, tmp_path)
    with app.app_context():
        yield app
        db.session.remove()
    close_app(app)


def reflect(connection: Connection) -> list[Table]:
    """The tables of the present version, each behind those that it points to."""
    metadata = MetaData()
    metadata.reflect(connection)
    ours = [each for each in metadata.sorted_tables if not PARTITION.fullmatch(each.name)]
    return [each for each in ours if each.name not in ("alembic_version", "sqlite_sequence")]


def keys_of(table: Table) -> list[Column[Any]]:
    """Of a table in partitions each of these has the key, and not the table."""
    return list(table.primary_key.columns) or [table.columns.id]


def fill(connection: Connection, tables: list[Table], number: int) -> None:
    """A row into each table, which belongs to the others of this number."""
    made: dict[str, Any] = {}
    for table in tables:
        if table.name in ONE_ROW and connection.scalar(select(func.count()).select_from(table)):
            made[table.name] = 1
            continue
        row = {column.name: make_value(table, column, number, made) for column in table.columns}
        wanted = {name: value for name, value in row.items() if value is not None}
        first = keys_of(table)[0]
        made[table.name] = connection.scalar(insert(table).values(wanted).returning(first))


def make_value(table: Table, column: Column[Any], number: int, made: dict[str, Any]) -> Any:
    """None for what may be left out."""
    given = GIVEN.get(f"{table.name}.{column.name}")
    if given is not None:
        return _moment(given) if isinstance(given, datetime) else given
    for key in column.foreign_keys:
        return made.get(key.column.table.name)
    if column.nullable or column.server_default is not None or column.name == "id":
        return 1 if table.name in ONE_ROW and column.name == "id" else None
    makers = {
        Boolean: lambda: False,
        DateTime: lambda: _moment(BEGIN + timedelta(days=number)),
        Date: lambda: date(2026, 1, 1) + timedelta(days=number),
        Float: lambda: 1.5,
        Integer: lambda: 1,
        LargeBinary: lambda: b"{}",
    }
    for kind, make in makers.items():
        if isinstance(column.type, kind):
            return make()
    length = getattr(column.type, "length", None) or 40
    return JSON_TEXTS.get(column.name) or f"{number}{column.name}{table.name}"[:length]


def _moment(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None) if is_sqlite() else moment


def read_keys(connection: Connection, tables: list[Table]) -> Keys:
    return {
        table.name: {tuple(row) for row in connection.execute(select(*keys_of(table)))}
        for table in tables
    }


def test_every_row_of_every_version_outlives_every_upgrade(old_app: Flask) -> None:
    before: Keys = {}
    for number, revision in enumerate(revisions(), 1):
        upgrade(revision=revision)
        with db.engine.connect().execution_options(writes=True) as connection:
            tables = reflect(connection)  # Which takes longer than all that is done with them.
            kept = read_keys(connection, tables)
            for table, keys in before.items():
                assert keys <= kept[table], f"{revision} has lost rows of {table}"
            fill(connection, tables, number)
            connection.commit()
            before = read_keys(connection, tables)
            connection.rollback()
    assert len(before["events"]) == len(revisions())
    check_that_it_works(old_app)


def check_that_it_works(app: Flask) -> None:
    """The upgraded server takes an event, makes a run of it, and shows its pages."""
    tend_partitions()
    for check in (check_migrations, check_partitions, check_key_of_database):
        assert check().state == "ok", check()
    member = db.session.scalars(select(Membership).order_by(Membership.id)).first()
    assert member is not None
    email = member.user.email
    workflow = db.session.scalars(select(Workflow).order_by(Workflow.id)).first()
    assert workflow is not None
    public_id = workflow.public_id
    _, key = create_api_key(member.workspace_id, "new")
    client = make_client(app, email)
    body = {"workflow_id": public_id, "ended_at": "2026-01-16T09:31:00Z"}
    answer = client.post("/api/v1/ingest/run-success", json=body, headers={"X-API-Key": key})
    assert answer.status_code == 202, answer.text
    assert process_batch(10) == 1
    for path in ("/", "/events", "/runs", "/workflows", "/alerts", "/settings", "/insights"):
        page = client.get(path)
        assert page.status_code == 200, f"{path}: {Page(page.text).text[:300]}"


def test_the_page_on_upgrading_says_how_to_read_the_notes_upgrade_check_and_go_back() -> None:
    text = (ROOT / "docs" / "upgrading.md").read_text()
    for word in ("CHANGELOG.md", "backup", "prepare", "/readyz", "doctor", "restore"):
        assert word in text


def test_what_a_tagged_release_has_migrated_with_is_as_it_was() -> None:
    """Else a database of that release is another than the one that the walk above makes."""
    for tag in git("tag", "--list", "v[0-9]*").split():
        for name in git("ls-tree", "-r", "--name-only", tag, "migrations/versions").split():
            assert git("show", f"{tag}:{name}") == (ROOT / name).read_text(), f"{tag}: {name}"

"""`move`: everything arrives as it was, whatever it is, and the app goes on with it."""

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from app.cli.move_columns import kind_of
from app.cli.move_steps import TABLES
from app.cli.move_target import Target
from app.extensions import Model, db
from app.models import ApiKey, AuditEntry, Event, Run, Workflow
from app.models.partitioning import is_compared_on
from tests.cli.moves import (
    change,
    copy,
    fill,
    move,
    moved_tables,
    opened,
    read_all,
    read_moved,
    with_tables,
)
from tests.console.pages import sign_in
from tests.factories import Team, report

Filled = tuple[Path, Team]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A SQLite database with rows in every table."""
    path = tmp_path_factory.mktemp("filled") / "filled.db"
    return path, fill(path)


@pytest.fixture
def source(filled: Filled, tmp_path: Path) -> Path:
    return copy(filled[0], tmp_path)


def test_a_move_knows_each_kind_of_column_that_there_is() -> None:
    for table in Model.metadata.sorted_tables:
        for column in table.columns:
            assert kind_of(column)


def test_every_row_of_every_table_arrives_as_it_was(
    source: Path, target: str, tmp_path: Path
) -> None:
    before = read_all(f"sqlite:///{source}", tmp_path)
    assert set(before) == set(Model.metadata.tables)
    assert [name for name, rows in before.items() if not rows] == []
    bytes_before = source.read_bytes()
    tables = moved_tables(move(source, target, "--json"))
    assert {name: each["rows"] for name, each in tables.items()} == {
        name: len(rows) for name, rows in before.items()
    }
    assert all(each["compared"] == min(each["rows"], 1_000) for each in tables.values())
    assert not any(each["mended"] or each["differences"] for each in tables.values())
    after = read_moved(target, tmp_path)
    for name, rows in before.items():
        assert rows == after[name], name
    assert source.read_bytes() == bytes_before


@with_tables
def test_the_audit_log_tells_of_it_once(source: Path, target: str, tmp_path: Path) -> None:
    count = sum(each["rows"] for each in moved_tables(move(source, target, "--json")).values())
    move(source, target)
    with opened(target, tmp_path):
        last = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert last and (last.actor, last.what) == ("command line", "moved")
        assert (last.about, last.details) == (source.name, {"rows": count})
        told = select(AuditEntry).where(AuditEntry.what == "moved")
        assert len(db.session.scalars(told).all()) == 1


def test_the_app_goes_on_with_it_and_the_migrations_find_nothing_to_do(
    filled: Filled, source: Path, target: str, tmp_path: Path
) -> None:
    team = filled[1]
    printed = move(source, target).stdout
    assert "FLOWPULSE_DATABASE_URL=postgresql://" in printed and "secret key stays" in printed
    assert all(re.search(rf"^{table.name} .* same$", printed, re.M) for table in TABLES)
    with opened(target, tmp_path) as app:
        with db.engine.connect() as connection:
            options = {"compare_type": True, "include_object": is_compared_on(connection.dialect)}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, db.metadata) == []
        run = app.test_cli_runner().invoke
        assert run(args=["prepare"]).exit_code == 0
        client = app.test_client()
        newest = db.session.scalars(select(Event).order_by(Event.id.desc()).limit(1)).one()
        event_id = report(client, team).json["event_id"]
        event = db.session.scalars(select(Event).where(Event.public_id == event_id)).one()
        assert event.id > newest.id + 1  # One that came and went was numbered between them.
        sign_in(client, team.email)
        assert newest.public_id in client.get("/events").text
        workflow = Workflow(workspace_id=team.workspace_id, name="New", slug="new")
        db.session.add(workflow)
        db.session.flush()
        assert workflow.id == db.session.scalar(text("SELECT max(id) FROM workflows"))


HOSTILE = {
    "error_message = CAST(x'610062ff63eda08064' AS TEXT)": (
        "error_message", "a\ufffdb\ufffdc\ufffd\ufffd\ufffdd", "characters replaced",
    ),
    "error_message = CAST(x'eda080' AS TEXT)": ("error_message", "\ufffd", "characters replaced"),
    "error_message = 'a' || char(0) || 'b'": ("error_message", "a\ufffdb", "characters replaced"),
    "correlation_id = printf('%.300c', 'é')": ("correlation_id", "é" * 255, "texts cut"),
    "event_count = 1 << 40": ("event_count", 2**31 - 1, "numbers limited"),
    "event_count = -(1 << 40)": ("event_count", -(2**31), "numbers limited"),
    "decided_by_event_id = 9223372036854775807": ("decided_by_event_id", 2**63 - 1, None),
    "decided_by_event_id = -9223372036854775808": ("decided_by_event_id", -(2**63), None),
    r"error_message = '\N' || char(9, 10, 13, 92, 46, 10, 65533, 128512)": (
        "error_message", "\\N\t\n\r\\.\n\ufffd\U0001f600", None,
    ),
    "error_message = ''": ("error_message", "", None),
    "error_message = NULL": ("error_message", None, None),
    "error_message = CAST('bytes' AS BLOB)": ("error_message", "bytes", None),
    "duration_ms = 9e999": ("duration_ms", float("inf"), None),
    "duration_ms = -0.1": ("duration_ms", -0.1, None),
    "duration_ms = 7": ("duration_ms", 7.0, None),
    "is_test = 7": ("is_test", True, None),
    "metadata = '{\"a\":\"\\u0000\\ud800\"}'": ("details", {"a": "\0\ud800"}, None),
}  # fmt: skip
"""What stands in SQLite, the value that arrives, and what is told of it."""


@with_tables
def test_what_sqlite_takes_and_postgresql_refuses_is_mended_and_told(
    source: Path, target: str, tmp_path: Path
) -> None:
    ids = list(range(1, len(HOSTILE) + 1))
    change(
        source,
        *(
            f"UPDATE runs SET {each} WHERE id = {id_}"
            for each, id_ in zip(HOSTILE, ids, strict=True)
        ),
    )
    mended = moved_tables(move(source, target, "--json"))["runs"]["mended"]
    expected: dict[str, int] = {}
    with opened(target, tmp_path):
        for id_, (column, value, what) in zip(ids, HOSTILE.values(), strict=True):
            assert getattr(db.session.get(Run, id_), column) == value, column
            if what:
                expected[f"{column}: {what}"] = expected.get(f"{column}: {what}", 0) + 1
    assert mended == expected


@with_tables
def test_moments_and_bytes_at_the_edge_and_rows_that_point_to_later_ones_arrive(
    source: Path, target: str, tmp_path: Path
) -> None:
    moments = ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.000001")
    change(
        source,
        *(f"UPDATE runs SET started_at = '{at}' WHERE id = {n}" for n, at in enumerate(moments, 1)),
        "UPDATE events SET body = x'00ff005c4e0a' WHERE id = 1",
        "UPDATE rollups SET sketch = randomblob(1000)",
        "UPDATE api_keys SET replaces_id = (SELECT max(id) FROM api_keys) WHERE id = 1",
    )
    sketches = "SELECT sketch FROM rollups ORDER BY workflow_id, period, starts_at"
    with opened(f"sqlite:///{source}", tmp_path):
        sent = db.session.scalars(text(sketches)).all()
    move(source, target)
    with opened(target, tmp_path):
        found = [str(db.session.get(Run, n).started_at) for n in (1, 2, 3)]
        assert found == [f"{at}+00:00" for at in moments]
        assert db.session.get(ApiKey, 1).replaces_id > 1
        assert db.session.get(Event, 1).body == b"\0\xff\0\\N\n"
        assert db.session.scalars(text(sketches)).all() == sent


@with_tables
def test_a_difference_is_told_with_table_and_keys_and_is_no_success(
    source: Path, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze = Target.analyze

    def tamper(self: Target) -> None:
        analyze(self)
        self._connection.execute(text("UPDATE events SET path = path || 'x' WHERE id = 7"))
        self._connection.execute(text("UPDATE runs SET is_test = NOT is_test WHERE id = 8"))
        self._connection.execute(text("DELETE FROM workflow_labels WHERE id = 1"))
        self._connection.execute(text("UPDATE workspaces SET name = reverse(name)"))
        self._connection.execute(text("INSERT INTO rate_buckets VALUES ('extra', 1, 1)"))
        self._connection.commit()

    monkeypatch.setattr(Target, "analyze", tamper)
    result = move(source, target, exit_code=1)
    for line in ("events: see 7", "runs: see 8", "workflow_labels: see 1", "workspaces: see 1"):
        assert f"{line}\n" in result.stderr, result.stderr
    assert "rate_buckets: see extra" in result.stderr
    assert "must not start" in result.stderr
    monkeypatch.undo()
    assert "events: see 7" in move(source, target, exit_code=1).stderr
    with opened(target, tmp_path) as app:
        assert app.test_cli_runner().invoke(args=["prepare"]).exit_code == 1

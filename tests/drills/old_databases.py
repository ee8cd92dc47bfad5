"""Databases of the first version, with as many events and runs as are wanted."""

from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import text

from app.extensions import db, is_sqlite, writing
from tests.apps import close_app, make_app

FIRST = "0001"
WORKFLOWS = 20
BODY = '{"workflow_slug": "w", "duration_ms": 1200, "metadata": {"note": "' + "x" * 120 + '"}}'
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :last) ",
    "postgresql": "WITH n(n) AS (SELECT generate_series(1, :last)) ",
}
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', 'now', ((n - :last) * 2) || ' seconds')",
    "postgresql": "now() + (n - :last) * interval '2 seconds'",
}
TABLES = {
    "workspaces": ("public_id, name, created_at", "'w', 'Team', {moment} FROM n WHERE n = :last"),
    "workflows": (
        "public_id, workspace_id, name, slug, created_at, is_demo",
        f"'f' || n, 1, 'W' || n, 'w' || n, {{moment}}, false FROM n WHERE n <= {WORKFLOWS}",
    ),
    "runs": (
        "public_id, workspace_id, workflow_id, external_execution_id, outcome, ended_at, "
        "duration_ms, error_message, decided_by_event_id, event_count, created_at, updated_at",
        f"'r' || n, 1, 1 + n % {WORKFLOWS}, 'x' || n, "
        "CASE WHEN n % 20 = 0 THEN 'failure' ELSE 'success' END, {moment}, 200 + n % 5000, "
        "CASE WHEN n % 20 = 0 THEN 'Order ' || n || ' has no address' END, "
        "n, 1, {moment}, {moment} FROM n",
    ),
    "events": (
        "public_id, workspace_id, workflow_id, received_at, state, kind, method, path, headers, "
        "body, status, took_ms, run_id",
        f"'e' || n, 1, 1 + n % {WORKFLOWS}, {{moment}}, 'processed', 'run-success', 'POST', "
        "'/api/v1/ingest/run-success', '[]', {body}, 202, 1.5, n FROM n",
    ),
}
"""By table, the columns and what is put into them, with a row for each number."""
BODIES = {"sqlite": "CAST(:body AS BLOB)", "postgresql": "convert_to(:body, 'UTF8')"}


def make_old(url: str, folder: Path, count: int) -> None:
    """Migrate an empty database to the first version and fill it."""
    app = make_app(url, folder)
    with app.app_context():
        upgrade(revision=FIRST)
        kind = db.engine.dialect.name
        for table, (columns, values) in TABLES.items():
            filled = values.format(moment=MOMENTS[kind], body=BODIES[kind])
            numbers = NUMBERS[kind]
            statement = f"INSERT INTO {table} ({columns}) {numbers}SELECT {filled}"
            given = {"last": count, **({"body": BODY} if table == "events" else {})}
            with writing() as session:
                session.execute(text(statement), given)
        if not is_sqlite():
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        db.session.remove()
    close_app(app)

"""`python -m tests.conformance.running EXAMPLES [option …]`: schemathesis against a real server."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy import delete, select, update

from app.api.open_addresses import EXAMPLE_BADGE
from app.api.other_monitors import EXAMPLE_PING_KEY as PING_KEY
from app.api.other_monitors import EXAMPLE_TOKEN, EXAMPLE_UUID
from app.extensions import db, writing
from app.models import Workflow
from app.workspaces.report_addresses import create_address
from tests.apps import close_app, make_app
from tests.server import ROOT, LiveServer
from tests.teams import LiveTeam, make_live_team

FOLDER = Path(__file__).parent
LIMIT_SECONDS = 3000
METRICS_TOKEN = "a-token-for-the-figures-alone"
SETTINGS = {
    "FLOWPULSE_FAILED_KEY_LIMIT": "1000000",  # Wrong keys are tried as often as it takes.
    "FLOWPULSE_METRICS_TOKEN": METRICS_TOKEN,
    "FLOWPULSE_COMPATIBILITY": "1",  # So that the addresses of other monitors are described.
}


def furnish(server: LiveServer, team: LiveTeam) -> None:
    """Something of each kind to be read: a success, a failure, a start, and what was refused.

    Another workflow is taken away: no schema can tell that two fields must not name two that exist.
    """
    app = make_app(server.database_url, server.data_dir)
    with app.app_context(), writing() as session:
        session.execute(delete(Workflow).where(Workflow.slug == team.other_slug))
        session.execute(update(Workflow).values(badge_token=EXAMPLE_BADGE))
    with app.app_context():
        workflow = db.session.scalars(select(Workflow).where(Workflow.slug == team.slug)).one()
        for secret, of in ((EXAMPLE_UUID, workflow), (EXAMPLE_TOKEN, workflow), (PING_KEY, None)):
            create_address(workflow.workspace_id, of, secret)
    close_app(app)
    body = {"workflow_slug": team.slug, "external_execution_id": "1"}
    ended = {**body, "ended_at": "2026-01-15T09:31:00Z"}
    for kind, event in (
        ("run-success", ended),
        ("run-failure", {**ended, "external_execution_id": "2", "error_message": "boom"}),
        ("run-start", {**body, "external_execution_id": "3", "started_at": ended["ended_at"]}),
        ("run-success", body),
    ):
        server.post(f"/api/v1/ingest/{kind}", json=event, headers=team.headers)


def check(
    server: LiveServer, headers: dict[str, str], examples: int, *more: str
) -> subprocess.CompletedProcess[str]:
    """All checks on all endpoints, each with so many examples; the same ones each time.

    `more`: further options of the tool, such as --include-operation-id.
    """
    told = [part for name, text in headers.items() for part in ("-H", f"{name}: {text}")]
    options = ["--checks", "all", "--max-examples", str(examples)]
    # Deterministic: the examples follow from the document, so that a seed plays no part. Of several
    # workers, who comes first would decide what is found; and the tool has had races between them.
    options += ["--generation-deterministic", "--workers", "1"]
    config = str(FOLDER / "schemathesis.toml")
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", config, "run"]
    environment = {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.conformance.hooks"}
    environment["METRICS_TOKEN"] = METRICS_TOKEN
    return subprocess.run(
        [*program, *options, *told, *more, "--no-color", f"{server.url}/api/v1/openapi.json"],
        env={**os.environ, **environment},
        cwd=server.data_dir,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


def main(examples: int, *more: str) -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveServer(Path(folder), f"sqlite:///{folder}/fp.db", **SETTINGS) as server,
    ):
        team = make_live_team(server)
        furnish(server, team)
        failed = 0
        for headers in (team.headers, {}):
            done = check(server, headers, examples, *more)
            print(done.stdout, done.stderr)
            failed |= done.returncode
    return failed


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # The server ends with it.
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))

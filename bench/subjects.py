"""What is measured: the bare view, and FlowPulse on each database, with every feature on."""

import json
import os
import subprocess
from pathlib import Path

from bench.servers import PYTHON, ROOT, Server

BODY_BYTES = 400
LIMITS_ON = {
    "FLOWPULSE_RATE_LIMIT": "1000000",
    "FLOWPULSE_FAILED_KEY_LIMIT": "1000000000",
    "GUNICORN_LOG_LEVEL": "error",
}
"""Rate limits are checked for each request, and out of reach."""
PASSWORD = "a password for measuring"  # noqa: S105


def bare_view() -> Server:
    return Server("bare Flask view", "bench.bare:app", LIMITS_ON, body=_body("bench"))


def flowpulse(name: str, folder: Path, database_url: str = "") -> Server:
    """A fresh FlowPulse with a workflow and a key."""
    environment = {**LIMITS_ON, "FLOWPULSE_DATA_DIR": str(folder)}
    if database_url:
        environment["FLOWPULSE_DATABASE_URL"] = database_url
    _flask(environment, "prepare")
    user = ("user", "create", "bench@example.org", "--role", "owner", "--password-stdin")
    _flask(environment, *user, stdin=PASSWORD)
    workflow = json.loads(_flask(environment, "workflow", "create", "Bench", "--json"))
    key = _flask(environment, "key", "create", "bench").strip()
    return Server(
        name,
        "wsgi:app",
        environment,
        headers={"X-API-Key": key},
        body=_body(workflow["slug"]),
    )


def _body(slug: str) -> str:
    """A usual success of 400 bytes."""
    fields = {
        "workflow_slug": slug,
        "started_at": "2026-01-15T09:30:00.000Z",
        "ended_at": "2026-01-15T09:31:00.000Z",
        "source_platform": "n8n",
        "source_workflow_id": "8HkQ2mVx",
        "correlation_id": "order-7781",
        "metadata": {"customer": "acme", "leads": 12, "note": ""},
    }
    spare = BODY_BYTES - len(json.dumps(fields))
    fields["metadata"] = {"customer": "acme", "leads": 12, "note": "x" * spare}
    return json.dumps(fields)


def _flask(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [PYTHON, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"flask {' '.join(arguments)}: {done.stderr}")
    return done.stdout

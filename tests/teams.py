"""A team on a live server, made by the command line as an admin would."""

import json
from dataclasses import dataclass

from tests.factories import PASSWORD
from tests.server import LiveServer


@dataclass(frozen=True, slots=True)
class LiveTeam:
    """The ids and secrets that a sender needs."""

    email: str
    workflow_id: str
    slug: str
    name: str
    other_slug: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.key}


def make_live_team(server: LiveServer) -> LiveTeam:
    """Sets the server up: a user, two workflows and a key."""
    email = "ana@example.org"
    _run(server, "user", "create", email, "--role", "owner", "--password-stdin", stdin=PASSWORD)
    first = _run(server, "workflow", "create", "Lead enrichment", "--json")
    other = _run(server, "workflow", "create", "Invoice sync", "--json")
    key = _run(server, "key", "create", "n8n-prod").strip()
    workflow = json.loads(first)
    return LiveTeam(
        email,
        workflow["id"],
        workflow["slug"],
        workflow["name"],
        json.loads(other)["slug"],
        key,
    )


def _run(server: LiveServer, *arguments: str, stdin: str | None = None) -> str:
    done = server.cli(*arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout

"""What is measured: the bare view, and FlowPulse on each database, with every feature on."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from flask_migrate import upgrade

from app.extensions import db
from bench.load import Request
from bench.servers import Database, Server
from tests.apps import close_app, make_app
from tests.factories import Team, make_team
from tests.ports import free_port
from tests.postgres import PostgresCluster
from tests.server import test_environment

BODY_BYTES = 400
LIMITS_ON = {
    "FLOWPULSE_RATE_LIMIT": "1000000",
    "FLOWPULSE_FAILED_KEY_LIMIT": "1000000000",
    "GUNICORN_LOG_LEVEL": "error",
}
"""Rate limits are checked for each request, and out of reach: bench/sharing.py has them shared."""
TARGET = "bench.sharing:app"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
BARE = "bare Flask view"


def kind_of(subject: str) -> str:
    """The database that the name of a subject begins with."""
    return subject.split(",")[0]


class Subject(NamedTuple):
    """A server, and what it is asked."""

    name: str
    server: Server
    request: Request
    database: Database


class FlowPulse(NamedTuple):
    """A fresh FlowPulse with a team."""

    database: Database
    server: Server
    team: Team

    def success(self) -> Request:
        return self.report()

    def report(self, **changed: Any) -> Request:
        """A success with other fields than the usual ones; as long as that."""
        return Request(headers=self.team.headers, body=_body(self.team.slug, **changed))

    @contextmanager
    def app(self) -> Iterator[Flask]:
        """Its database, open in this process."""
        with open_app(self.database) as app:
            yield app


def bare_view(folder: Path) -> Subject:
    server = Server("bench.bare:app", test_environment(folder, "", free_port(), **LIMITS_ON))
    return Subject(BARE, server, Request(body=_body("bench")), Database("", "", folder))


def flowpulse(database: Database) -> FlowPulse:
    with open_app(database):
        upgrade()
        team = make_team()
    environment = test_environment(database.folder, database.url, free_port(), **LIMITS_ON)
    return FlowPulse(database, Server(TARGET, environment), team)


def databases(folder: Path, stack: ExitStack, with_postgresql: bool) -> list[Database]:
    """An empty one of each kind, whose commits reach the disk; PostgreSQL ends with the stack."""
    places = {kind: folder / kind.lower() for kind in (SQLITE, POSTGRESQL)}
    for place in places.values():
        place.mkdir(parents=True)
    found = [Database(SQLITE, f"sqlite:///{places[SQLITE]}/flowpulse.db", places[SQLITE])]
    if with_postgresql:
        cluster = PostgresCluster(durable=True)
        stack.callback(cluster.stop)
        url = cluster.create_database("bench")
        found.append(Database(POSTGRESQL, url, places[POSTGRESQL], cluster))
    return found


@contextmanager
def open_app(database: Database) -> Iterator[Flask]:
    app = make_app(database.url, database.folder)
    with app.app_context():
        yield app
        db.session.remove()
    close_app(app)


def _body(slug: str, **changed: Any) -> str:
    """A usual success of 400 bytes."""
    fields = {
        "workflow_slug": slug,
        "started_at": "2026-01-15T09:30:00.000Z",
        "ended_at": "2026-01-15T09:31:00.000Z",
        "source_platform": "n8n",
        "source_workflow_id": "8HkQ2mVx",
        "correlation_id": "order-7781",
        "metadata": {"customer": "acme", "leads": 12, "note": ""},
        **changed,
    }
    spare = BODY_BYTES - len(json.dumps(fields))
    fields["metadata"] = {"customer": "acme", "leads": 12, "note": "x" * spare}
    return json.dumps(fields)

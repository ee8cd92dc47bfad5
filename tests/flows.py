"""A FlowPulse of the benchmarks on a test's own database."""

from pathlib import Path

import pytest

from bench.servers import Database
from bench.subjects import POSTGRESQL, SQLITE, FlowPulse, flowpulse
from tests.postgres import PostgresCluster


def make_flow(
    database_url: str, database_kind: str, request: pytest.FixtureRequest, folder: Path
) -> FlowPulse:
    """`request` leads to the PostgreSQL server that the tests share."""
    if database_kind == "sqlite":
        return flowpulse(Database(SQLITE, database_url, folder))
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return flowpulse(Database(POSTGRESQL, database_url, folder, cluster))

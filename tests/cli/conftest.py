"""Running commands in the test's own process, on each database."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask

from app.extensions import db
from tests.databases import PostgresDatabases
from tests.postgres import PostgresCluster

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """`run("user", "list", exit_code=1, input="…")`: the result, whose exit code is checked."""

    def invoke(*arguments: str, exit_code: int = 0, input: str | bytes | None = None) -> Result:
        result = app.test_cli_runner().invoke(args=arguments, input=input)
        assert result.exit_code == exit_code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        db.session.rollback()
        return result

    return invoke


@pytest.fixture
def target(postgres: PostgresCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a PostgreSQL database for what is moved there: empty, or with all its tables
    (`tests.cli.moves.with_tables`), which need not be made then."""
    databases = PostgresDatabases(postgres)
    has_tables = getattr(request, "param", False)
    url = databases.create() if has_tables else databases.create_empty()
    yield url
    databases.drop(url)

"""`move` to what can't be used: told before anything else, also while the server still runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import Connection, create_engine, make_url, text

from app.cli import move_source
from tests.cli.moves import change, copy, move, opened, with_tables
from tests.factories import make_team

ROLE = "move_guest"
OTHER = "move_latin"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with little in it."""
    path = tmp_path_factory.mktemp("small") / "small.db"
    with opened(f"sqlite:///{path}", path.parent):
        upgrade()
        make_team()
    return path


@pytest.fixture
def source(small: Path, tmp_path: Path) -> Path:
    return copy(small, tmp_path)


@pytest.fixture
def admin(target: str) -> Iterator[Connection]:
    """A superuser's connection to the target; what the tests make on its server goes afterwards."""
    engine = create_engine(target, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE {ROLE} LOGIN"))
        yield connection
        connection.execute(text(f"DROP DATABASE IF EXISTS {OTHER} WITH (FORCE)"))
        connection.execute(text(f"DROP OWNED BY {ROLE}"))
        connection.execute(text(f"DROP ROLE {ROLE}"))
    engine.dispose()


def name_nobody(target: str, admin: Connection) -> str:
    return target.replace("//flowpulse@", "//x@")


def name_no_database(target: str, admin: Connection) -> str:
    return f"{target}_not"


def name_no_port(target: str, admin: Connection) -> str:
    return target.replace(f":{make_url(target).port}/", ":1/")


def name_no_host(target: str, admin: Connection) -> str:
    return target.replace("@127.0.0.1", "@nowhere.invalid")


def encode_otherwise(target: str, admin: Connection) -> str:
    admin.execute(text(f"CREATE DATABASE {OTHER} ENCODING 'LATIN1' TEMPLATE template0"))
    return target.replace(str(make_url(target).database), OTHER)


def use_it(target: str, admin: Connection) -> str:
    admin.execute(text("CREATE TABLE orders (id int)"))
    return target


def lack_the_schema(target: str, admin: Connection) -> str:
    return target.replace("//flowpulse@", f"//{ROLE}@")


def lack_the_database(target: str, admin: Connection) -> str:
    admin.execute(text(f"GRANT CREATE ON SCHEMA public TO {ROLE}"))
    return target.replace("//flowpulse@", f"//{ROLE}@")


def lack_the_connection(target: str, admin: Connection) -> str:
    admin.execute(text(f"REVOKE CONNECT ON DATABASE {make_url(target).database} FROM public"))
    return target.replace("//flowpulse@", f"//{ROLE}@")


def lack_the_right_to_look(target: str, admin: Connection) -> str:
    admin.execute(text("CREATE SCHEMA flowpulse_move"))
    return lack_the_database(target, admin)


def have_no_schema(target: str, admin: Connection) -> str:
    admin.execute(text("DROP SCHEMA public"))
    return target


def only_read(target: str, admin: Connection) -> str:
    return f"{target}?options=-cdefault_transaction_read_only%3Don"


REFUSALS = {
    name_nobody: 'role "x" does not exist: create it',
    name_no_database: '_not" does not exist: create it: createdb --owner',
    name_no_port: "Connection refused: start PostgreSQL there, or mend host and port in --to",
    name_no_host: "failed to resolve host 'nowhere.invalid'",
    encode_otherwise: "its encoding is LATIN1: make one with UTF-8: createdb --encoding UTF8",
    use_it: "it is not empty, it has orders. It was left as it is. Make an empty database",
    lack_the_schema: "permission denied for schema public: `createdb --owner ROLE NAME`, or GRANT",
    lack_the_database: "permission denied for database test_",
    lack_the_connection: "permission denied for database",
    lack_the_right_to_look: "permission denied for schema flowpulse_move: ",
    have_no_schema: "it has no schema to create tables in: CREATE SCHEMA public",
    only_read: "it can only be read: name the primary",
}


@pytest.mark.parametrize("make", REFUSALS, ids=lambda make: make.__name__)
def test_what_keeps_a_target_from_being_used_is_told_first_also_while_the_server_runs(
    source: Path, target: str, admin: Connection, make: object
) -> None:
    url = make(target, admin)  # type: ignore[operator]
    for is_served in (True, False):
        with closing(sqlite3.connect(source)) as server:
            if is_served:
                server.execute("SELECT * FROM users").fetchall()
            else:
                server.close()
            said = move(source, url, exit_code=1).stderr
        assert said.startswith("Error: The target can't be used: "), said
        assert REFUSALS[make] in said  # type: ignore[index]
        assert "Looking" not in said and "Making" not in said


@with_tables
def test_while_the_server_runs_a_good_target_is_told_to_be_good(
    source: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(move_source, "WAIT_MS", 100)  # It goes on running.
    with closing(sqlite3.connect(source)) as server:
        server.execute("SELECT * FROM users").fetchall()
        said = move(source, target, exit_code=1).stderr
    assert "The target can be used, but" in said and "is open in another program" in said
    move(source, target)


@with_tables
def test_a_copy_of_what_has_changed_since_is_told_before_anything_is_looked_through(
    source: Path, target: str
) -> None:
    move(source, target)
    change(source, "UPDATE workspaces SET name = 'Another'")
    said = move(source, target, exit_code=1).stderr
    assert "which has changed since" in said and "Looking" not in said
    change(source, "UPDATE workspaces SET public_id = 'another'")
    said = move(source, target, exit_code=1).stderr
    assert "from another server" in said and "Looking" not in said


@pytest.mark.parametrize(
    "rest",
    [
        "flow@db.example.org:port/x",
        "flow:s3@cr3t@db.example.org/x",
        "flow:s3@cr3t:w0rd@db.example.org/x",
        "flow:s3@cr3t/w0rd@db.example.org:5432/x",
        "flow:s3@cr3t?w0rd@db.example.org:5432/x",
        "flow:s3cr3t",
        "flow@[::1/x",
    ],
)
def test_a_url_that_is_none_is_told_how_to_write_it_and_none_of_it_is_repeated(
    source: Path, rest: str
) -> None:
    said = move(source, f"postgresql://{rest}", exit_code=2).stderr
    assert "@ as %40, : as %3A, / as %2F" in said
    for part in ("s3", "cr3t", "w0rd", "port/x", "'port'", "invalid literal"):
        assert part not in said

"""What docs/moving-to-postgresql.md has people type, against the tests' own PostgreSQL."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from tests.documents.blocks import ROOT, read_code
from tests.documents.running import in_shell
from tests.postgres import SUPERUSER, PostgresCluster

pytestmark = pytest.mark.once
PAGE = ROOT / "docs" / "moving-to-postgresql.md"
TYPED = "password of the page\n"
MOVED = re.compile(r"^users +2 .* same$", re.MULTILINE)


def find_piece(words: str) -> str:
    (text,) = [code.text for code in read_code(PAGE) if words in code.text]
    return text


@pytest.fixture
def account(postgres: PostgresCluster) -> Iterator[str]:
    """A name that no role and no database has. Both go afterwards."""
    name = f"docs_{uuid4().hex[:8]}"
    yield name
    for database in (name, f"{name}_copy"):
        postgres.drop_database(database)
    with postgres.connect() as connection:
        connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def test_the_commands_of_the_page_make_a_database_and_fill_it(
    folder: Path, postgres: PostgresCluster, account: str
) -> None:
    def type_in(text: str, role: str, database: str = account) -> str:
        text = text.removeprefix("sudo -u postgres ")
        text = re.sub(r"(--pwprompt|--owner) flowpulse\b", rf"\1 {account}", text)
        text = re.sub(r" flowpulse$", f" {database}", text)
        target = f"postgresql://{account}@127.0.0.1:{postgres.port}/{database}"
        text = re.sub(r"postgresql://\S+", target, text)
        status, said = in_shell(
            text.replace("/mnt/other", str(folder / "other")),
            TYPED * 2,
            folder,
            postgres.port,
            PATH=f"{postgres.binaries}:/usr/bin:/bin",
            PGHOST="127.0.0.1",
            PGPORT=str(postgres.port),
            PGUSER=role,
            PGPASSWORD=TYPED.strip(),
        )
        assert status == 0, said
        return said

    make_account, make_database = find_piece("createuser").splitlines()
    assert "createdb" in make_database
    type_in(make_account, SUPERUSER)
    with postgres.connect() as connection:
        query = "SELECT rolsuper, rolpassword IS NULL FROM pg_authid WHERE rolname = %s"
        assert connection.execute(query, [account]).fetchone() == (False, False)
    type_in(make_database, SUPERUSER, f"{account}_copy")
    trial = find_piece("backup /mnt/other/copy.db")
    assert "prepare" in trial, "a backup has another journal than a server's database"
    assert MOVED.search(type_in(trial, account, f"{account}_copy"))
    type_in(make_database, SUPERUSER)
    assert MOVED.search(type_in(find_piece("move --to postgresql://flowpulse@"), account))

"""What an error tells of the cause of an outage; the errors are the databases' and the system's."""

import sqlite3

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.extensions import db, is_sqlite
from app.ingest.store import AwayError
from app.outages import DISK_FULL, explain, was_disk_full
from app.write_lock import BusyError

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"


def fill_sqlite() -> None:
    """As a full disk has it: no more pages."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE words (word TEXT)")
    connection.execute("PRAGMA max_page_count = 2")
    connection.executemany("INSERT INTO words VALUES (?)", [("word" * 100,)] * 100)


def write_to_a_full_device() -> None:
    with open("/dev/full", "w") as file:
        file.write("word")


@pytest.mark.parametrize("fail", [fill_sqlite, write_to_a_full_device])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_seen_through_what_is_wrapped_around_it(fail, wrapped: bool) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((sqlite3.OperationalError, OSError)) as caught:
        fail()
    error: BaseException = caught.value
    if wrapped:
        error = AwayError("lost")
        error.__cause__ = caught.value
    assert explain(error) == DISK_FULL
    assert was_disk_full(within_seconds=60)


def test_postgresql_says_so_by_its_code(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("a matter of PostgreSQL")
    with pytest.raises(OperationalError) as caught:
        db.session.execute(text(RAISE))
    assert explain(caught.value) == DISK_FULL


def test_of_anything_else_nothing_is_claimed() -> None:
    for error in (None, BusyError("locked"), OSError("gone"), ValueError("no")):
        assert explain(error) is None

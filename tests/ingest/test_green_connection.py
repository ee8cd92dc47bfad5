"""Under gevent a connection lets others go on while it waits, and ends when its server does."""

import subprocess
import sys

import pytest
from flask import Flask

from app.extensions import db, is_sqlite

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
import psycopg
from sqlalchemy import make_url
from app.ingest.postgres_store import PostgresStore

store, done = PostgresStore(make_url(sys.argv[1])), []

def sleep(seconds):
    done.append(store.fetch_one("SELECT pg_sleep(?), ?::float", seconds, seconds)[1])

gevent.joinall([gevent.spawn(sleep, seconds) for seconds in (0.6, 0.1, 0.3)], raise_error=True)
assert done == [0.1, 0.3, 0.6], done

long = "x" * 5_000_000  # More than a socket takes at once, in both directions.
assert store.fetch_one("SELECT ?::text", long)[0] == long

victim = store._connect()
other = store._connect()

def wait_until_ended():
    try:
        victim.execute("SELECT pg_sleep(30)")
    except psycopg.OperationalError:
        done.append("ended")

waiting = gevent.spawn(wait_until_ended)
gevent.sleep(0.1)
other.execute("SELECT pg_terminate_backend(%s)", (victim.info.backend_pid,))
waiting.get(timeout=10)
victim.close()
fresh = store._connect()  # Likely with the same number as the socket that was closed.
assert fresh.execute("SELECT 1").fetchone() == (1,)
assert done[-1] == "ended"
print("all well")
"""


def test_others_go_on_and_an_end_is_noticed(app: Flask) -> None:
    if is_sqlite():
        pytest.skip("SQLite is no server")
    url = db.engine.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, url], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("all well\n", "")

"""The clock that all machines on one PostgreSQL go by: the database's."""

import time
from datetime import timedelta

from sqlalchemy import func, select

from app import clock
from app.extensions import db, is_sqlite


def read_shared_clock() -> None:
    """Learn how far this machine's clock is from the database's; SQLite's is the machine's own.

    Rates, leases, retries and sessions are worked out from moments that several machines have
    written: a machine whose clock is wrong would let through more, or hold up what the others took.
    """
    if is_sqlite():
        return
    connection = db.session.connection()  # Not a part of what is timed below.
    began, own = time.monotonic(), clock.own_now()
    told = connection.scalar(select(func.clock_timestamp()))
    way = timedelta(seconds=time.monotonic() - began) / 2
    if told is not None:
        clock.agree(told, own + way, way)
    db.session.rollback()

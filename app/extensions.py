"""The Flask extensions, and the two ways into the database: reading, and `writing()`."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session

import app.database_errors  # noqa: F401 - has every engine say nothing of values.
from app.blocking import run_blocking
from app.postgres import LET_GO, LET_GO_AND_SORT_NOTHING
from app.write_lock import RETRY_SECONDS, BusyError, WriteLock, is_busy

OUTAGES = (OperationalError, InterfaceError, sqlite3.OperationalError)
"""What says that the database is away or held by somebody else, and not that a row is bad."""
BUSY_TIMEOUT_MS = 5_000
CHECKPOINT_PAGES = 1_000
"""So long may SQLite's log get, before whoever commits next copies it into the database's file."""


class Model(DeclarativeBase):
    """What all tables have in common: constraints with names, which migrations need."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


REPLICA = "replica"
"""The engine that pages may read from, and the mark of a session that does."""

ENGINE = "engine"
"""Where a session keeps its app's engine."""


class RoutedSession(FlaskSession):
    """Goes to the database, or to its replica for as long as it is told to only read."""

    def get_bind(
        self, mapper: Any = None, clause: Any = None, bind: Any = None, **more: Any
    ) -> Engine | Connection:
        """All tables are in one database, so that a statement's own need not be looked for."""
        if self.info.get(REPLICA):
            return db.engines[REPLICA]
        if bind is None:
            bind = self.info.get(ENGINE) or self.info.setdefault(ENGINE, db.engine)
        return bind  # type: ignore[no-any-return]

    def close(self) -> None:
        """At the end of a request its answer is made: a connection that was lost by then is let go
        of, and takes nothing back."""
        try:
            super().close()
        except OUTAGES:
            self.invalidate()


db = SQLAlchemy(model_class=Model, session_options={"class_": RoutedSession})
if TYPE_CHECKING:
    Entity = Model  # What `db.Model` is, in terms that a type checker follows.
else:
    Entity = db.Model

login_manager = LoginManager()
csrf = CSRFProtect()


def configure_engine(app: Flask) -> None:
    """Give SQLite its settings and its rule: one writer at a time, chosen before it begins."""
    with app.app_context():
        engine, engines = db.engine, list(db.engines.values())
    if engine.dialect.name == "sqlite":
        app.extensions["flowpulse_write_lock"] = WriteLock(Path(str(engine.url.database)))
        app.extensions["flowpulse_writer"] = threading.Lock()
        engine.dialect.do_commit = _commit_beside  # type: ignore[assignment]
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        for each in engines:  # The replica's as well.
            event.listen(each, "connect", _set_up_postgres)


def _set_up_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # The driver begins nothing by itself; we do.
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _set_up_postgres(connection: Any, record: Any) -> None:
    """What is asked here are look-ups. PostgreSQL counts each once for each month's table, takes
    the sum for a lot of work, and starts processes (40 ms) to share a millisecond's among them."""
    connection.execute("SET max_parallel_workers_per_gather = 0")
    connection.execute("SET jit = off")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    """A reader can't write by mistake; a writer takes the lock before it reads anything.

    Settings go to the driver itself: others wait for the file lock meanwhile, and each would take
    ten times as long on SQLAlchemy's way.
    """
    options = connection.get_execution_options()
    writes = options.get("writes", False)
    tell: Any = connection.connection.driver_connection.execute  # type: ignore[union-attr]
    tell(f"PRAGMA query_only = {0 if writes else 1}")
    if not writes:
        connection.exec_driver_sql("BEGIN")
        return
    tell("PRAGMA busy_timeout = 0")  # `_begin` waits in its place.
    pages = CHECKPOINT_PAGES if options.get("checkpoints", True) else 0
    tell(f"PRAGMA wal_autocheckpoint = {pages}")
    run_blocking(connection.exec_driver_sql, "BEGIN IMMEDIATE")
    tell(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _commit_beside(connection: Any) -> None:
    """What waits for the disk must not hold up the loop."""
    run_blocking(connection.commit)


@contextmanager
def reading_from_replica() -> Iterator[None]:
    """What is read within is read from the replica, until something is written."""
    db.session.info[REPLICA] = True
    try:
        yield
    finally:
        db.session.info.pop(REPLICA, None)


@contextmanager
def writing(
    *, patient: bool = True, checkpoints: bool = True, sorts: bool = True
) -> Iterator[Session]:
    """A transaction that writes: commits at its end, rolls back on any error.

    Whatever the session had read before is read anew, under the lock. Where somebody else is
    writing it raises BusyError or OperationalError after BUSY_TIMEOUT_MS; without patience at once,
    and BlockingIOError as well. Whoever writes much leaves SQLite's log to `checkpoint()`: a commit
    would copy it while all others wait. Where nothing is to be sorted, PostgreSQL tries not to,
    until it is told to SORT_AGAIN.
    """
    db.session.rollback()
    db.session.info.pop(REPLICA, None)
    with ExitStack() as held:
        try:
            connection = _begin(held, patient, checkpoints)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(LET_GO if sorts else LET_GO_AND_SORT_NOTHING).close()
            yield db.session()
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise


def _begin(held: ExitStack, patient: bool, checkpoints: bool) -> Connection:
    """A connection in a transaction that writes; `held` keeps the locks until its end.

    One thread of the process waits at a time: were all of gevent's native threads to wait for the
    file lock, none would be left for the holder's commit.
    """
    end = time.monotonic() + BUSY_TIMEOUT_MS / 1_000
    options = {"writes": True, "checkpoints": checkpoints}
    lock: WriteLock | None = current_app.extensions.get("flowpulse_write_lock")
    if lock is None:
        return db.session.connection(execution_options=options)
    writer: threading.Lock = current_app.extensions["flowpulse_writer"]
    if not writer.acquire(timeout=BUSY_TIMEOUT_MS / 1_000 if patient else 0):
        raise (BusyError if patient else BlockingIOError)("another request is writing")
    held.callback(writer.release)
    while True:
        token = run_blocking(lock.acquire) if patient else lock.try_acquire()
        try:
            connection = db.session.connection(execution_options=options)
        except BaseException as error:
            db.session.rollback()
            lock.release(token)
            is_told_to_wait = isinstance(error, OperationalError) and is_busy(error.orig)
            if not (patient and is_told_to_wait and time.monotonic() < end):
                raise
        else:
            held.callback(lock.release, token)
            return connection
        time.sleep(RETRY_SECONDS)


def checkpoint() -> None:
    """Copy SQLite's log into its file as far as nobody reads from it; writers go on meanwhile."""
    if is_sqlite():
        db.session.rollback()
        connection = db.engine.raw_connection()
        try:
            run_blocking(connection.driver_connection.execute, "PRAGMA wal_checkpoint(PASSIVE)")  # type: ignore[union-attr]
        finally:
            connection.close()


def is_sqlite(engine: Engine | None = None) -> bool:
    return (engine or db.engine).dialect.name == "sqlite"

"""Whether this machine can do its work now: what a probe is told, without any name or address."""

from collections.abc import Callable, Iterator

from flask import current_app
from sqlalchemy import Connection, func, select, text

from app.blocking import run_blocking
from app.clock import now
from app.doctor.database_disk import look_at_disk
from app.doctor.findings import Finding
from app.doctor.revision import NEWEST
from app.extensions import db, is_sqlite
from app.invocation import START, shell_command
from app.models import WorkerHeartbeat
from app.outages import was_disk_full
from app.processing.downtimes import SURE_FOR
from app.processing.secret_mark import is_foreign

READ = "SELECT version_num FROM alembic_version"
AWAY = "It can't be read."
HANGS = "It did not answer within {seconds:g} s."
MEND = (
    f"Run {shell_command('doctor')} on this machine, and look at the log of the web server: both "
    "say why."
)


def read_revision() -> str | None:
    """The database's migration: a look at a table, beside gevent's loop where that would stop."""
    connection = db.session.connection()
    return run_blocking(_read, connection) if is_sqlite() else _read(connection)


def _read(connection: Connection) -> str | None:
    found = connection.execute(text(READ)).scalar()
    return None if found is None else str(found)


def examine() -> list[Finding]:
    """The findings in the order of CHECKS; raises OUTAGES where the database is away."""
    return [finding for check in CHECKS for finding in check()]


def lost(message: str) -> list[Finding]:
    """What is told where the database is away: of all else nothing is known."""
    return [Finding("database", "fail", message, MEND)]


def _check_migrations() -> Iterator[Finding]:
    found = read_revision()
    yield Finding("database", "ok", "It can be read.")
    if found == NEWEST:
        yield Finding("migrations", "ok", f"The database is up to date ({found}).")
        return
    message = f"The database is at {found or 'nothing'}, this program at {NEWEST}."
    fix = (
        f"Run {shell_command('prepare')}; where it is the database that is newer, restart the web "
        "server with the newer program."
    )
    yield Finding("migrations", "fail", message, fix)


def _check_writing() -> Iterator[Finding]:
    """Each web process writes every few seconds that it lives; a probe must not write as well.
    Where PostgreSQL's disk is full, that may find room in a page where no report does."""
    disk = look_at_disk()
    if was_disk_full(SURE_FOR.total_seconds()) or (disk is not None and disk.is_full):
        message = "The disk of the database is full: reports are answered 503."
        yield Finding("writing", "fail", message, MEND)
    elif current_app.extensions["flowpulse_web_beat"].is_failing:
        message = "The last try to write to the database failed: reports are answered 503."
        yield Finding("writing", "fail", message, MEND)
    else:
        yield Finding("writing", "ok", "Nothing is known to keep it from being written.")


def _check_secret_key() -> Iterator[Finding]:
    if is_foreign():
        message = "This machine has another secret key than the database's API keys need."
        yield Finding("secret key", "fail", message, MEND)
    else:
        yield Finding("secret key", "ok", "It is that of the database.")


def _check_worker() -> Iterator[Finding]:
    """Any machine's. One that ends takes its row away; one that was killed is missed soon."""
    seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    fix = f"Start it: `{START}`, or {shell_command('worker')}. Events are kept meanwhile."
    if seen_at is None:
        yield Finding("worker", "fail", "None is running.", fix)
        return
    age = max((now() - seen_at).total_seconds(), 0.0)
    state = "ok" if age <= SURE_FOR.total_seconds() else "fail"
    message = f"It was last seen {age:.0f} s ago."
    yield Finding("worker", state, message, None if state == "ok" else fix)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _check_migrations,
    _check_writing,
    _check_secret_key,
    _check_worker,
)

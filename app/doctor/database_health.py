"""The doctor's checks of the database, and of the worker by what it leaves there."""

import stat
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, text

from app.clock import now
from app.doctor.findings import Finding
from app.doctor.moves import why_not_to_start
from app.doctor.replica import MOST_BEHIND_SECONDS, describe_replica
from app.doctor.revision import ALL, NEWEST, find_in_database
from app.extensions import db, is_sqlite
from app.invocation import START, shell_command
from app.models import Event, WorkerHeartbeat, of_state
from app.problems import PROBLEMS
from app.processing.clock_jumps import paused_until
from app.processing.database_size import MEGABYTE
from app.processing.downtimes import STALLED_AFTER
from app.processing.inbox import oldest_accepted, waiting_since
from app.processing.partition_list import list_missing, list_partitions
from app.processing.secret_mark import EXPLANATION, REPLACE, is_foreign
from app.processing.size_limit import look_at_size

MOST_COUNTED = 10_000
MOST_LAG = timedelta(minutes=1)
MOST_CLOCK_DIFFERENCE = timedelta(seconds=30)
NEVER_BEFORE = datetime.fromisoformat("2025-01-01T00:00:00Z")
MUCH_WITHOUT_LIMIT = 10_000 * MEGABYTE
MUCH_TOO_LARGE = 1.1
START_WORKER = f"Start it: `{START}`, or {shell_command('worker')}"


def check_connection() -> Finding:
    db.session.execute(text("SELECT 1"))
    return Finding("connection", "ok", f"The database ({db.engine.dialect.name}) answers.")


def check_file() -> Finding:
    """SQLite's file holds what was sent to the server: it is nobody else's to read."""
    name = "database file"
    if not is_sqlite():
        return Finding(name, "ok", "There is none: the database is a server's.")
    path = Path(str(db.engine.url.database))
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        fix = f"Run: chmod 600 {path}*"
        return Finding(name, "warn", f"Other accounts of this machine can read {path}.", fix)
    return Finding(name, "ok", f"Only the server's account can read {path}.")


def check_migrations() -> Finding:
    name = "migrations"
    found = find_in_database(db.session.connection())
    if found == NEWEST:
        return Finding(name, "ok", f"The database is up to date ({found}).")
    message = f"The database is at {found or 'nothing'}, the program at {NEWEST}."
    if found and found not in ALL:
        return Finding(name, "fail", message, "Run the newer FlowPulse that made this database.")
    return Finding(name, "fail", message, f"Run: {shell_command('prepare')}")


def check_move() -> Finding:
    reason = why_not_to_start()
    if reason is None:
        here = "was moved away" if is_sqlite() else "is half-way from another database"
        return Finding("move", "ok", f"Nothing {here}.")
    return Finding("move", "fail", *reason)


def check_key_of_database() -> Finding:
    """All machines on one database need the same secret key."""
    name = "secret key of the database"
    if is_foreign():
        return Finding(name, "fail", EXPLANATION, REPLACE)
    return Finding(name, "ok", "The API keys were made with this machine's secret key.")


def check_replica() -> Finding:
    """Pages go on without it, so that it is no more than a warning."""
    name, state = "replica", describe_replica()
    if state is None:
        return Finding(name, "ok", "None is set: pages are read from the database itself.")
    if state.problem:
        fix = "See to the replica, and to FLOWPULSE_REPLICA_URL. Pages are read without it."
        return Finding(name, "warn", f"It can't be used: {state.problem}", fix)
    message = f"It knows everything up to {state.behind_seconds:.0f} s ago."
    if state.behind_seconds > MOST_BEHIND_SECONDS:
        fix = "See to the replica and its connection. Pages are read without it meanwhile."
        return Finding(name, "warn", message, fix)
    return Finding(name, "ok", message)


def check_partitions() -> Finding:
    """Without its table a month's events are kept among the rest, and can't be dropped at once."""
    name = "partitions"
    if is_sqlite():
        return Finding(name, "ok", "There are none: SQLite keeps all events in one table.")
    missing = [f"{each:%Y-%m}" for each in list_missing(db.session(), now())]
    if missing:
        message = f"The events of {' and '.join(missing)} have no table of their own."
        return Finding(name, "warn", message, PROBLEMS["month_without_table"].fix)
    there = list_partitions(db.session())
    return Finding(name, "ok", f"The events lie in {len(there)} tables, up to {there[-1].name}.")


def check_clock() -> Finding:
    """The clock against a fixed day, the newest event and, where it has one of its own, the
    database's. With SQLite nothing tells of a clock that is behind: the doctor's page asks the
    browser's."""
    name, moment = "clock", now()
    beside = "the newest event; SQLite has no clock of its own, the doctor's page asks a browser's"
    fix = "Set the clock, best by NTP."
    if moment < NEVER_BEFORE:
        return Finding(name, "fail", f"This machine says it is {moment:%Y-%m-%d}.", fix)
    if not is_sqlite():
        apart = abs(now() - db.session.execute(select(func.clock_timestamp())).scalar_one())
        if apart > MOST_CLOCK_DIFFERENCE:
            message = f"The database's clock is {apart.total_seconds():.0f} s away from ours."
            return Finding(name, "warn", message, fix)
        beside = "the database's clock and the newest event"
    newest = db.session.scalar(select(Event.received_at).order_by(Event.id.desc()).limit(1))
    if newest and newest - moment > MOST_CLOCK_DIFFERENCE:
        message = f"The newest event is from {newest:%Y-%m-%d %H:%M:%SZ}, which lies ahead."
        return Finding(name, "warn", message, fix)
    message = f"It is {moment:%Y-%m-%d %H:%M:%SZ}, by this machine's clock. Compared with {beside}."
    return Finding(name, "ok", message)


def check_retention() -> Finding:
    """Nothing goes for its age for a while after a long downtime, or a clock that was set."""
    name, until = "retention", paused_until(now())
    if until is None:
        return Finding(name, "ok", "What is past its time goes.")
    message = (
        "FlowPulse was off for more than an hour, or the clock was set ahead: nothing goes for its "
        f"age before {until:%Y-%m-%d %H:%M}Z."
    )
    fix = "If the clock is right, there is nothing to do; else set it before then."
    return Finding(name, "warn", message, fix)


def check_worker() -> Finding:
    name = "worker"
    seen_at = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    if seen_at is None:
        return Finding(name, "fail", "None is running: events wait.", START_WORKER)
    age = now() - seen_at
    if age > STALLED_AFTER:
        message = f"It was last seen {age.total_seconds():.0f} s ago: events wait."
        return Finding(name, "fail", message, START_WORKER)
    return Finding(name, "ok", f"It was last seen {max(age.total_seconds(), 0):.0f} s ago.")


def check_size() -> Finding:
    """What is in use against FLOWPULSE_MAX_DATABASE_MB, and what had to go for it."""
    name, size = "database size", look_at_size()
    used = f"{size.used / MEGABYTE:.0f} MB are in use"
    if size.limit is None:
        fix = "" if size.used < MUCH_WITHOUT_LIMIT else " FLOWPULSE_MAX_DATABASE_MB sets a limit."
        return Finding(name, "ok", f"{used}; there is no limit.{fix}")
    message = f"{used}, of at most {size.limit / MEGABYTE:.0f}."
    if size.reached_at:
        message += f" Successes from before {size.reached_at:%Y-%m-%d %H:%M}Z went for it."
    if size.used > size.limit * MUCH_TOO_LARGE:
        return Finding(name, "warn", message, PROBLEMS["database_over_limit"].fix)
    return Finding(name, "ok", message)


def check_queue() -> Finding:
    name = "queue"
    since = waiting_since(db.session())
    lag = max(now() - since, timedelta()) if since else timedelta()
    if lag > MOST_LAG:
        message = f"The oldest event has waited for {lag.total_seconds():.0f} s."
        fix = f"See to the worker. {START_WORKER}. It catches up by itself; a second one helps."
        return Finding(name, "warn", message, fix)
    some = select(Event.id).where(of_state("failed")).limit(MOST_COUNTED).subquery()
    failed = db.session.scalar(select(func.count()).select_from(some)) or 0
    if failed:
        fix = f"Look at them with: {shell_command('events tail --state failed')}; retry them there."
        return Finding(name, "warn", f"{failed} events could not be processed.", fix)
    oldest = oldest_accepted(db.session())
    age = f"; the oldest is {(now() - oldest).total_seconds():.1f} s old" if oldest else ""
    message = f"The event that is due first has waited for {lag.total_seconds():.1f} s{age}."
    return Finding(name, "ok", message)

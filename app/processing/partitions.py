"""On PostgreSQL the log is a table a month: made ahead, and dropped whole once all is past."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from flask import current_app
from sqlalchemy import ColumnElement, and_, text, true
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, is_sqlite
from app.models import RETENTION, Event
from app.processing.clock_jumps import paused_until
from app.processing.partition_changes import change_tables
from app.processing.partition_list import Partition, list_partitions
from app.processing.partition_making import make_partitions

MOST_MOVED = 5_000
"""Events of a past month that are moved so that it can be dropped; where more must stay, the
batches of the retention take it down as it is."""
LARGE = 1_000_000
"""Of a month with so many events none is removed by itself once it is past: all go at once."""
LOOK_AGAIN_AFTER = timedelta(hours=6)
"""A month of which too much must stay is left to the batches for so long."""
_KEPT_FOR = {"rejected": "rejected_days", "processed": "event_days", "failed": "failure_days"}

TAKEN_OUT = "_gone"
"""What the name of a month's table ends with once it is no part of the log any more."""
_TAKEN_OUT = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition "  # noqa: S608
    f"AND relname ~ '^events_(until_)?\\d{{4}}_\\d\\d{TAKEN_OUT}$' AND relnamespace = "
    "(SELECT relnamespace FROM pg_class WHERE oid = CAST('events' AS regclass))"
)
_FOREIGN_KEYS = text(
    "SELECT conname FROM pg_constraint "
    "WHERE conrelid = CAST(:name AS regclass) AND contype = 'f' ORDER BY conname"
)
_ROWS = text("SELECT relname, reltuples FROM pg_class WHERE relname = ANY(:names)")
_STAYS = " UNION ALL ".join(
    (
        "SELECT id FROM {name} WHERE state = 'accepted'",
        "SELECT id FROM {name} WHERE workspace_id IS NULL AND state = 'rejected' "
        "AND received_at >= CAST(:at AS timestamptz) - make_interval(hours => 24 * :rejected_days)",
        *(
            "SELECT kept.id FROM workspaces AS own "  # noqa: S608
            "CROSS JOIN LATERAL (SELECT id FROM {name} AS event "
            f"WHERE event.workspace_id = own.id AND event.state = '{state}' AND event.received_at "
            f">= CAST(:at AS timestamptz) - make_interval(hours => 24 * coalesce(own.{days}, "
            f":{days})) LIMIT {MOST_MOVED + 1}) AS kept"
            for state, days in _KEPT_FOR.items()
        ),
    )
)
"""The ids of a table's events that no period of the retention lets go yet, found by the indexes of
each state: it is asked while everything waits for the table to be dropped."""

logger = logging.getLogger(__name__)


class TooManyError(Exception):
    """Meanwhile more has come to stay than may be moved; the table remains as it was."""


def tend_partitions() -> None:
    """Make the tables of the months to come, and drop those of which nothing has to stay.

    Any number of workers may do so at once. What can't have its lock is left for the next time.
    """
    if not is_sqlite():
        make_partitions(now())
        at = now()
        if not paused_until(at):
            drop_partitions(at)
        db.session.rollback()


def drop_partitions(at: datetime) -> Sequence[str]:
    """Drop the months of which little or nothing must stay; returns the names of their tables.

    Everything waits while a table is taken out of the log, and nobody while it is removed.
    """
    dropped = [each.name for each in _list_past(at) if _take_out(each, at)]
    for name in _list_taken_out():
        change_tables(partial(_remove, name=name))
    return dropped


def _take_out(month: Partition, at: datetime) -> bool:
    """Whether it is no part of the log any more; where it could not be locked, it is soon tried
    again, and meanwhile nothing is removed from it."""
    try:
        if _has_many(month.name, at):
            raise TooManyError(month.name)
        if not change_tables(partial(_detach, name=month.name, at=at)):
            return False
    except TooManyError:
        _put_off()[month.name] = at
        return False
    logger.info("Dropped %s, with the events that came before %s.", month.name, month.end)
    return True


def _list_past(at: datetime) -> list[Partition]:
    """Those whose last event is past what the server keeps, but for those just looked at."""
    before = at - timedelta(days=current_app.config[RETENTION["event_days"]])
    past = [each for each in list_partitions(db.session()) if each.end <= before]
    db.session.rollback()
    looked_at = _put_off()
    return [
        each
        for each in past
        if each.name not in looked_at or at - looked_at[each.name] >= LOOK_AGAIN_AFTER
    ]


def _put_off() -> dict[str, datetime]:
    """When this process saw that too much of a month must stay."""
    known: dict[str, datetime] = current_app.extensions.setdefault("flowpulse_kept_months", {})
    return known


def spare_large(session: Session) -> ColumnElement[bool]:
    """For the batches: what lies in no large month that is going to be dropped as a whole."""
    if is_sqlite():
        return true()
    there = [each for each in list_partitions(session) if each.name not in _put_off()]
    names = [each.name for each in there]
    counted = session.execute(_ROWS, {"names": names})
    large = {name for name, rows in counted if rows >= LARGE}
    return and_(true(), *(_outside(each) for each in there if each.name in large))


def _outside(partition: Partition) -> ColumnElement[bool]:
    """In terms by which PostgreSQL leaves the table out."""
    behind = Event.received_at >= partition.end
    return behind if partition.start is None else behind | (Event.received_at < partition.start)


def _list_staying(session: Session, name: str, at: datetime) -> list[int]:
    """Up to one more than may be moved."""
    session.execute(text("SET LOCAL enable_seqscan = off"))
    stays = text(f"{_STAYS.format(name=name)} LIMIT {MOST_MOVED + 1}")
    return list(session.scalars(stays, _periods(at)))


def _has_many(name: str, at: datetime) -> bool:
    has_many = len(_list_staying(db.session(), name, at)) > MOST_MOVED
    db.session.rollback()
    return has_many


def _detach(session: Session, name: str, at: datetime) -> None:
    """Without its table, the month's events belong to the rest: there goes what must stay."""
    if name not in (each.name for each in list_partitions(session)):
        return
    session.execute(text(f"ALTER TABLE events DETACH PARTITION {name}"))
    staying = _list_staying(session, name, at)
    if len(staying) > MOST_MOVED:
        raise TooManyError(name)
    move = text(f"INSERT INTO events SELECT * FROM {name} WHERE id = ANY(:ids)")  # noqa: S608
    session.execute(move, {"ids": staying})
    # What points elsewhere would have to be locked again when the table is removed.
    for key in session.scalars(_FOREIGN_KEYS, {"name": name}).all():
        session.execute(text(f"ALTER TABLE {name} DROP CONSTRAINT {key}"))
    session.execute(text(f"ALTER TABLE {name} RENAME TO {name}{TAKEN_OUT}"))


def _list_taken_out() -> Sequence[str]:
    """Those that are still there: just taken out, or left by a worker that ended right then."""
    names = db.session.scalars(_TAKEN_OUT).all()
    db.session.rollback()
    return names


def _remove(session: Session, name: str) -> None:
    session.execute(text(f"DROP TABLE IF EXISTS {name}"))


def _periods(at: datetime) -> dict[str, datetime | int]:
    return {"at": at} | {days: current_app.config[setting] for days, setting in RETENTION.items()}

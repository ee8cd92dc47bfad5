"""A change of the tables that the log is made of on PostgreSQL: one at a time."""

import logging
from collections.abc import Callable

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.extensions import writing

LOCK_WAIT_MS = 200
"""How long a change of the tables may wait for its lock, as all that ask for events wait behind it;
not for how long it holds it then."""
_ONE_AT_A_TIME = 0x464C4F59

IN_USE = ("55P03", "40P01")
"""lock_not_available and deadlock_detected, of PostgreSQL's error codes."""

logger = logging.getLogger(__name__)


def change_tables(change: Callable[[Session], None]) -> bool:
    """Whether the tables could be changed; another worker, or a long query, may be in the way."""
    try:
        with writing() as session:
            session.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
            if not session.scalar(select(func.pg_try_advisory_xact_lock(_ONE_AT_A_TIME))):
                return False
            change(session)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in IN_USE:
            raise
        logger.info("The tables of the events are in use; tried again later: %s", error.orig)
        return False
    return True

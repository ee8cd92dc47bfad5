"""A clock that was set: ahead, nothing goes for its age at once; back, nothing waits for days.

Nobody can tell a clock that was set ahead by a day from a server that was off for one. Both leave a
downtime behind. So after a long one nothing is removed for its age until a day later: whoever set
the clock wrongly has that day to see it (doctor tells), and otherwise what is past goes then.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.extensions import db
from app.models import Delivery, Downtime, Event, Instance, RateBucket, Schedule, Silence

LONG = timedelta(hours=1)
"""A downtime from which on its end may as well be a clock that was set ahead."""
PAUSE = timedelta(days=1)
LOOK_EVERY = timedelta(seconds=5)
WRONG_FROM = timedelta(seconds=30)
"""What lies ahead of now by more was written by a clock that has been set back since."""
_RETRIES_WITHIN, _SENDS_WITHIN = timedelta(minutes=15), timedelta(hours=9)
"""No event is put off for longer, and no delivery."""
_RUN_TRUSTED = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def paused_until(at: datetime) -> datetime | None:
    """Until when nothing goes for its age; None where it does.

    A worker's last beat counts too: the clock may have been set since.
    """
    seen_at = db.session.scalar(select(Instance.worker_seen_at))
    if seen_at is not None and at - seen_at > LONG:
        return at + PAUSE
    recent = (Downtime.ended_at > at - PAUSE) & (Downtime.ended_at <= at)
    found = db.session.execute(select(Downtime.began_at, Downtime.ended_at).where(recent))
    ends = [ended_at for began_at, ended_at in found if ended_at - began_at > LONG]
    return max(ends) + PAUSE if ends else None


class AgePause:
    """The same, asked again and again; looked for anew where the clock has moved on a little."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None
        self._holds = False

    def holds(self, at: datetime) -> bool:
        if self._looked_at is None or not timedelta() <= at - self._looked_at < LOOK_EVERY:
            self._looked_at, self._holds = at, paused_until(at) is not None
        return self._holds


def was_set_back(session: Session, at: datetime) -> bool:
    """Whether somebody was seen at a time that is still to come."""
    seen = session.execute(select(Instance.worker_seen_at, Instance.web_seen_at)).first()
    return any(each is not None and each - at > WRONG_FROM for each in seen or ())


def call_back(session: Session, at: datetime) -> None:
    """Have nothing wait for a time that only a wrong clock has told.

    Within a transaction that somebody else commits. What came keeps its time; its order is that of
    the ids in any case.
    """
    ahead = at + WRONG_FROM
    waits = (Event.state == "accepted") & (Event.next_attempt_at > at + _RETRIES_WITHIN)
    session.execute(update(Event).where(waits).values(next_attempt_at=at))
    leased = Delivery.lease_until > ahead
    session.execute(update(Delivery).where(leased).values(lease_until=at))
    unsent = (Delivery.state == "waiting") & (Delivery.next_try_at > at + _SENDS_WITHIN)
    session.execute(update(Delivery).where(unsent).values(next_try_at=at))
    session.execute(delete(RateBucket).where(RateBucket.updated_at > ahead.timestamp()))
    session.execute(delete(Silence).where(Silence.silent_since > ahead))
    session.execute(delete(Downtime).where(Downtime.ended_at > ahead))
    for column in ("worker_seen_at", "web_seen_at"):
        seen_at = getattr(Instance, column)
        session.execute(update(Instance).where(seen_at > ahead).values({column: at}))
    _expect_anew(session, at)
    logger.warning("The clock was set back to %s: what waited for a later time goes on now.", at)


def _expect_anew(session: Session, at: datetime) -> None:
    """No schedule expects its next run later than after one that had just come."""
    query = select(Schedule).where(Schedule.next_expected_at > at).order_by(Schedule.id)
    for schedule in session.scalars(query.with_for_update()):
        latest = schedule.timetable.after_run(at + _RUN_TRUSTED)
        if schedule.next_expected_at > latest:
            schedule.expect(schedule.timetable.after_run(at))
        if schedule.last_run_at is not None and schedule.last_run_at > at + _RUN_TRUSTED:
            schedule.last_run_at = at

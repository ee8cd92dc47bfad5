"""How keys are used: by day, and by sender."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from app.clock import now
from app.extensions import db
from app.models import KeyUsage

MAX_SENDERS = 20


class Day(NamedTuple):
    """The uses of a day (UTC)."""

    day: datetime
    uses: int


class Sender(NamedTuple):
    """An address and user agent that a key was used from."""

    remote_addr: str
    user_agent: str
    uses: int
    last_at: datetime


def count_by_day(key_ids: Sequence[int], days: int) -> dict[int, list[Day]]:
    """For each key the uses of the last days, the oldest first, today last."""
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    query = (
        select(KeyUsage.api_key_id, KeyUsage.day, func.sum(KeyUsage.count))
        .where(KeyUsage.api_key_id.in_(key_ids), KeyUsage.day >= first.date())
        .group_by(KeyUsage.api_key_id, KeyUsage.day)
    )
    counts = {(key_id, day): int(count) for key_id, day, count in db.session.execute(query)}
    every = [first + timedelta(days=number) for number in range(days)]
    return {
        key_id: [Day(day, counts.get((key_id, day.date()), 0)) for day in every]
        for key_id in key_ids
    }


def list_senders(key_id: int, since: datetime) -> list[Sender]:
    """Who used the key on the days from then on, the latest first."""
    query = (
        select(
            KeyUsage.remote_addr,
            KeyUsage.user_agent,
            func.sum(KeyUsage.count),
            func.max(KeyUsage.last_at),
        )
        .where(KeyUsage.api_key_id == key_id, KeyUsage.day >= since.date())
        .group_by(KeyUsage.remote_addr, KeyUsage.user_agent)
        .order_by(func.max(KeyUsage.last_at).desc())
        .limit(MAX_SENDERS)
    )
    return [Sender(addr, agent, int(n), at) for addr, agent, n, at in db.session.execute(query)]

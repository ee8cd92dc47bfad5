"""How keys are used: by day, by sender, and what still uses one that was rotated."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Select, func, select

from app.clock import now
from app.console.formatting import duration, plural
from app.extensions import db
from app.models import ApiKey, KeyUsage

MAX_SENDERS = 20
QUIET = timedelta(hours=1)
"""How long nobody has to have used an old key before it may be called safe to revoke."""


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


class Meter(NamedTuple):
    """Who has used an old key since it was rotated, and what that means, in one sentence."""

    successor: ApiKey
    uses: int
    senders: list[Sender]
    last_at: datetime | None
    tone: str
    verdict: str


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


def read_meters(successors: Sequence[ApiKey]) -> dict[int, Meter]:
    """By the old key's id, for the keys that replaced one: what of the old ones is still used."""
    rotated = {key.replaces_id: key for key in successors if key.replaces_id is not None}
    uses: dict[int, list[Sender]] = {key_id: [] for key_id in rotated}
    for key_id, addr, agent, count, last_at in db.session.execute(_recent_uses(list(rotated))):
        # Counted before the rotation and written after it: no use of the old key.
        if last_at > rotated[key_id].created_at:
            uses[key_id].append(Sender(addr, agent, int(count), last_at))
    old_keys = db.session.scalars(select(ApiKey).where(ApiKey.id.in_(list(rotated))))
    return {old.id: read_meter(old, rotated[old.id], uses[old.id]) for old in old_keys}


def read_meter(old: ApiKey, successor: ApiKey, uses: list[Sender]) -> Meter:
    """The meter of one key from its uses since the rotation."""
    last_at = max((use.last_at for use in uses), default=None)
    tone, verdict = _judge(old, successor, len(uses), last_at)
    total = sum(use.uses for use in uses)
    return Meter(successor, total, uses[:MAX_SENDERS], last_at, tone, verdict)


def _recent_uses(key_ids: list[int]) -> Select[int, str, str, int, datetime]:
    """Key, address, user agent, count since the rotation and last time."""
    count = func.sum(KeyUsage.count - KeyUsage.rotated_count)
    last_at = func.max(KeyUsage.last_at)
    return (
        select(KeyUsage.api_key_id, KeyUsage.remote_addr, KeyUsage.user_agent, count, last_at)
        .where(KeyUsage.api_key_id.in_(key_ids), KeyUsage.count > KeyUsage.rotated_count)
        .group_by(KeyUsage.api_key_id, KeyUsage.remote_addr, KeyUsage.user_agent)
        .order_by(last_at.desc())
    )


def _judge(
    old: ApiKey, successor: ApiKey, senders: int, last_at: datetime | None
) -> tuple[str, str]:
    """The tone and the verdict."""
    at = now()
    if old.revoked_at is not None:
        return "grey", "The old key is revoked: it opens nothing any more."
    if old.expires_at is not None and old.expires_at <= at:
        return "grey", "The old key’s time is over: it opens nothing any more."
    quiet = at - max(last_at or successor.created_at, successor.created_at)
    if quiet >= QUIET:
        length = duration(quiet.total_seconds() * 1000)
        return "green", f"Nobody has used the old key for {length}: safe to revoke."
    if senders:
        verb = "uses" if senders == 1 else "use"
        return "amber", f"{plural(senders, 'sender')} still {verb} the old key."
    return "blue", "Nobody has used the old key since the rotation. Give each sender time to run."

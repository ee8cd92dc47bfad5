"""What still uses a key that was rotated, and when it is safe to revoke: by how long its senders
have paused before, as far as that was seen."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select

from app.clock import now
from app.console.formatting import plural
from app.extensions import db
from app.ingest.usage import OTHERS
from app.models import ApiKey, KeyUsage

LOOKED_BACK = timedelta(days=35)
"""Long enough to see a monthly job twice."""
A_MONTH = timedelta(days=31)
"""The pause of a sender of which nobody knows how often it runs."""
AN_HOUR = timedelta(hours=1)
ONE_DAY = 20
"""What was seen for fewer hours was seen on one day only, also around midnight."""
MOST_ROWS = 1_000
"""Days and senders of one key that are looked at, the latest use first; what lies beyond counts as
one sender of which nothing is known."""
MAX_SENDERS = 20

Name = tuple[str, str]
"""An address and a user agent."""


class MeterSender(NamedTuple):
    """Who has used an old key: how often since the rotation, and what is known of its pauses.

    `pause`: the longest before, rounded up to the hour; None where nothing tells.
    """

    remote_addr: str
    user_agent: str
    uses: int
    last_at: datetime
    pause: timedelta | None
    has_moved: bool

    @property
    def pause_ms(self) -> float | None:
        return None if self.pause is None else self.pause.total_seconds() * 1_000

    @property
    def safe_at(self) -> datetime:
        return self.last_at + (self.pause or A_MONTH)


class Meter(NamedTuple):
    """The senders of an old key, and what that means in one sentence.

    `safe_at`: when all of them have been quiet for longer than they ever paused.
    """

    successor: ApiKey
    uses: int
    senders: list[MeterSender]
    last_at: datetime | None
    tone: str
    verdict: str
    safe_at: datetime | None

    @property
    def shown(self) -> list[MeterSender]:
        return self.senders[:MAX_SENDERS]


@dataclass
class _Trace:
    """What one sender has left: the last use, how many since the rotation, and the hours of each
    day (its ordinal), as the table keeps them."""

    last_at: datetime
    uses: int = 0
    days: dict[int, int] = field(default_factory=dict)


def read_meters(successors: Sequence[ApiKey]) -> dict[int, Meter]:
    """By the old key's id, for the keys that replaced one."""
    rotated = {key.replaces_id: key for key in successors if key.replaces_id is not None}
    old_keys = db.session.scalars(select(ApiKey).where(ApiKey.id.in_(list(rotated))))
    return {old.id: read_meter(old, rotated[old.id]) for old in old_keys}


def read_meter(old: ApiKey, successor: ApiKey) -> Meter:
    """The meter of one key that was rotated."""
    senders = list_meter_senders(old.id, successor.created_at, successor.id)
    last_at = max((each.last_at for each in senders if each.uses), default=None)
    safe_at = max((each.safe_at for each in senders), default=None)
    tone, verdict = _judge(old, senders)
    uses = sum(each.uses for each in senders)
    return Meter(successor, uses, senders, last_at, tone, verdict, safe_at)


def longest_pause(senders: Iterable[MeterSender]) -> timedelta | None:
    """That of the sender that pauses longest; None where of none of them is anything known."""
    return max((each.pause for each in senders if each.pause), default=None)


def list_meter_senders(
    key_id: int, since: datetime, successor_id: int | None = None
) -> list[MeterSender]:
    """Who has used the key of late, the latest first; `uses` count from `since` on."""
    traces = _read_traces(key_id, since)
    moved = _find_senders(successor_id) if successor_id else frozenset()
    by_agent: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for (_, agent), trace in traces.items():
        for day, hours in trace.days.items():
            by_agent[agent][day] |= hours
    agent_pauses = {agent: _find_pause(days) for agent, days in by_agent.items()}
    found = [
        # A sender behind changing addresses is known by its user agent.
        MeterSender(
            *name,
            trace.uses,
            trace.last_at,
            _find_pause(trace.days) or agent_pauses[name[1]],
            name in moved,
        )
        for name, trace in traces.items()
    ]
    if sum(len(trace.days) for trace in traces.values()) >= MOST_ROWS:
        oldest = min(trace.last_at for trace in traces.values())
        found.append(MeterSender(OTHERS, "", 0, oldest, None, False))
    return sorted(found, key=lambda each: each.last_at, reverse=True)


def _find_pause(days: Mapping[int, int]) -> timedelta | None:
    """The longest time that may have passed between two uses; None where they were of one day."""
    first, last, longest = None, 0, 0
    for day, hours in sorted(days.items()):
        begin, end, within = _measure(hours)
        longest = max(longest, within, 0 if first is None else day * 24 + begin - last)
        first = day * 24 + begin if first is None else first
        last = day * 24 + end
    return (longest + 1) * AN_HOUR if last - (first or last) >= ONE_DAY else None


@lru_cache(4096)
def _measure(hours: int) -> tuple[int, int, int]:
    """The first and the last hour of a day's use, and the longest pause between two of them."""
    used = [hour for hour in range(24) if hours >> hour & 1]
    return used[0], used[-1], max((b - a for a, b in pairwise(used)), default=0)


def _read_traces(key_id: int, since: datetime) -> dict[Name, _Trace]:
    query = (
        select(
            KeyUsage.remote_addr,
            KeyUsage.user_agent,
            KeyUsage.day,
            KeyUsage.hours,
            KeyUsage.count - KeyUsage.rotated_count,
            KeyUsage.last_at,
        )
        .where(KeyUsage.api_key_id == key_id, KeyUsage.day >= (since - LOOKED_BACK).date())
        .order_by(KeyUsage.last_at.desc())
        .limit(MOST_ROWS)
    )
    traces: dict[Name, _Trace] = {}
    for addr, agent, day, hours, count, last_at in db.session.execute(query):
        trace = traces.setdefault((addr, agent), _Trace(last_at))
        trace.days[day.toordinal()] = hours | 1 << last_at.hour
        # Counted before the rotation and written after it: no use of the old key.
        trace.uses += count if last_at > since else 0
    return traces


def _find_senders(key_id: int) -> frozenset[Name]:
    query = select(KeyUsage.remote_addr, KeyUsage.user_agent).where(KeyUsage.api_key_id == key_id)
    rows = db.session.execute(query.order_by(KeyUsage.last_at.desc()).limit(MOST_ROWS))
    return frozenset((addr, agent) for addr, agent in rows)


def _judge(old: ApiKey, senders: list[MeterSender]) -> tuple[str, str]:
    """The tone and the verdict."""
    at = now()
    if old.revoked_at is not None:
        return "grey", "The old key is revoked: it opens nothing any more."
    if old.expires_at is not None and old.expires_at <= at:
        return "grey", "The old key’s time is over: it opens nothing any more."
    if not senders:
        days = plural(LOOKED_BACK.days, "day")
        return "green", f"Safe to revoke: nobody has used the old key in the last {days}."
    waited_for = [each for each in senders if each.safe_at > at]
    users = [each for each in waited_for if each.uses]
    if users:
        verb = "uses" if len(users) == 1 else "use"
        return "amber", f"{plural(len(users), 'sender')} still {verb} the old key."
    if waited_for:
        count = plural(len(waited_for), "sender")
        return "blue", f"Too early to tell: {count} may only be pausing."
    return "green", "Safe to revoke: each sender has been quiet for longer than it ever paused."

"""How often somebody may try a password or a code: counted in the database, over all processes."""

import hashlib
import ipaddress
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.clock import timestamp
from app.extensions import is_sqlite, writing
from app.models import RateBucket

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
ACCOUNT_SECONDS = 15 * MINUTE
"""So long it takes until all tries at one account are forgotten."""
_MAX_KNOWN = 10_000
_BELIEVED_SECONDS = 5.0
"""So long a process goes by what it knows to be full, and doesn't ask the database."""
_FULL = "flowpulse_full_buckets"
_UNNOTED = "sign-ins:not-noted"


class Allowance(NamedTuple):
    """So many tries at once; after `seconds` without any, as many again."""

    name: str
    most: int
    seconds: float

    def wait(self, level: float) -> float:
        """Seconds until there is room for one more."""
        return max(0.0, (level + 1 - self.most) * self.seconds / self.most)


class _Full(NamedTuple):
    """When it was looked at, and until when there is no room, in seconds of Unix time."""

    at: float
    until: float

    def wait(self, at: float) -> float:
        """Seconds, while it is believed: others may forget it, and the clock may be set back."""
        return self.until - at if 0 <= at - self.at < _BELIEVED_SECONDS else 0.0


def of_address(address: str) -> Allowance:
    """Everybody at an address, without those whose browsers are known."""
    return Allowance(f"sign-in:{_place(address)}", _limit(), MINUTE)


def of_account(email: str) -> Allowance:
    """Everybody who tries to become this person, whether there is such a one or not, in browsers
    and at addresses that are not known."""
    return Allowance(f"account:{_hash(email)}", _limit(), ACCOUNT_SECONDS)


def of_known_address(email: str, address: str) -> Allowance:
    """Everybody at an address from which this person has signed in before."""
    return Allowance(f"known:{_hash(f'{email} {_place(address)}')}", _limit(), ACCOUNT_SECONDS)


def of_browser(email: str, browser: str) -> Allowance:
    """A browser that has signed in as this person before."""
    return Allowance(f"browser:{_hash(f'{email} {browser}')}", _limit(), ACCOUNT_SECONDS)


def of_session(token: str) -> Allowance:
    """Who is signed in and gives the password once more."""
    return Allowance(f"session:{_hash(token)}", _limit(), ACCOUNT_SECONDS)


def of_codes(allowance: Allowance) -> Allowance:
    """The second step of the same way in: who knows the password may try as many codes."""
    return allowance._replace(name=f"code-{allowance.name}")


def of_codes_of_a_day(allowance: Allowance) -> Allowance:
    """The second step in browsers that are not known: who has the password and goes on for days
    tries so few of a million codes, three of which are good at a time, that it would take years.
    """
    return Allowance(f"code-day-{allowance.name}", 3 * _limit(), DAY)


def of_all_codes(email: str) -> Allowance:
    """The codes of a person over all browsers, known or not, however many of them are forged.

    Three times what unknown browsers may try, who so can't use it up and lock the person out.
    """
    return Allowance(f"code-all:{_hash(email)}", 3 * _limit(), ACCOUNT_SECONDS)


def of_second_step(email: str, way: Sequence[Allowance]) -> list[Allowance]:
    """What counts codes where the way counts passwords: by the browser, if it is known, or else by
    the place and then by the person."""
    of_a_day = map(of_codes_of_a_day, way[1:])
    return [of_all_codes(email), *map(of_codes, way), *of_a_day]


def of_provider(address: str) -> Allowance:
    """Who comes back from the provider: each has it asked, and may be refused."""
    return Allowance(f"provider:{_place(address)}", _limit(), MINUTE)


def of_lost_passwords(email: str, address: str) -> list[Allowance]:
    """Who asks for a mail with a link: so many an hour, to a person and from an address."""
    return [
        Allowance(f"lost:{_hash(email)}", _limit(), HOUR),
        Allowance(f"lost-from:{_place(address)}", _limit(), HOUR),
    ]


def take(allowances: Sequence[Allowance]) -> int:
    """Count a try at once, before it is known to be wrong: many at the same moment are as many.

    Whole seconds to wait where one of them has no room, and nothing is counted; mostly 0.
    """
    if not _limit():
        return 0
    at, full = timestamp(), _known_full()
    wait = max(full[each.name].wait(at) if each.name in full else 0.0 for each in allowances)
    if wait <= 0:
        with writing() as session:
            levels = {each: _lock(session, each, at) for each in sorted(allowances)}
            waits = {each: each.wait(level) for each, level in levels.items()}
            wait = max(waits.values())
            if not wait:
                for each, level in levels.items():
                    _set(session, each, level + 1, at)
        _remember(full, {each.name: _Full(at, at + more) for each, more in waits.items() if more})
    return math.ceil(wait)


def give_back(allowances: Sequence[Allowance]) -> None:
    """The try was right: it counts for nothing."""
    if not _limit():
        return
    at = timestamp()
    with writing() as session:
        for each in sorted(allowances):
            _set(session, each, max(0.0, _lock(session, each, at) - 1), at)


def count_unnoted_in(session: Session) -> None:
    """A refused sign-in that the audit log had no room for: one row is written all the same, so
    that it takes as long."""
    table: Any = RateBucket.__table__
    insert: Any = (sqlite if is_sqlite() else postgresql).insert(table)
    counted = insert.values(name=_UNNOTED, level=1.0, updated_at=timestamp())
    more = {"level": table.c.level + 1, "updated_at": insert.excluded.updated_at}
    session.execute(counted.on_conflict_do_update(index_elements=[table.c.name], set_=more))


def forget_person_in(session: Session, email: str) -> None:
    """Whoever guessed at a person's account has no say any more."""
    account = of_account(email)
    codes = (of_codes(account), of_codes_of_a_day(account), of_all_codes(email))
    for each in (account, *codes):
        forget_in(session, each)


def forget_in(session: Session, allowance: Allowance) -> None:
    """Count from nothing again, in a transaction that somebody else commits."""
    table: Any = RateBucket.__table__
    session.execute(table.delete().where(table.c.name == allowance.name))


def _limit() -> int:
    limit: int = current_app.config["FLOWPULSE_FAILED_SIGN_IN_LIMIT"]
    return limit


def _lock(session: Session, allowance: Allowance, at: float) -> float:
    """How full the bucket is; nobody else changes it until this transaction ends."""
    table: Any = RateBucket.__table__
    insert: Any = (sqlite if is_sqlite() else postgresql).insert(table)
    locked = insert.values(name=allowance.name, level=0.0, updated_at=at).on_conflict_do_update(
        index_elements=[table.c.name], set_={"name": insert.excluded.name}
    )
    level, then = session.execute(locked.returning(table.c.level, table.c.updated_at)).one()
    drained: float = level - max(0.0, at - then) * allowance.most / allowance.seconds
    return max(0.0, drained)


def _set(session: Session, allowance: Allowance, level: float, at: float) -> None:
    table: Any = RateBucket.__table__
    changed = table.update().where(table.c.name == allowance.name)
    session.execute(changed.values(level=level, updated_at=at))


def _known_full() -> dict[str, _Full]:
    """What this process knows to be full: who goes on trying costs the database little."""
    known: dict[str, _Full] = current_app.extensions.setdefault(_FULL, {})
    return known


def _remember(full: dict[str, _Full], more: dict[str, _Full]) -> None:
    if len(full) + len(more) > _MAX_KNOWN:
        full.clear()
    full.update(more)


def _hash(text: str) -> str:
    return hashlib.sha256(text.strip().lower().encode("utf-8", "replace")).hexdigest()[:40]


def is_same_place(one: str, other: str) -> bool:
    return _place(one) == _place(other)


def _place(address: str) -> str:
    """Of IPv6, the network of one customer: each has 2**64 addresses of its own (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if not found.ipv4_mapped:
            return str(ipaddress.ip_network((found, 64), strict=False))
        return str(found.ipv4_mapped)
    return str(found)

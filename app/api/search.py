"""Lists by what no index answers in their order: never more work than a page may cost."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, select

from app.extensions import db
from app.windows import FIRST_WINDOW, WINDOWS_AT_FIRST, is_over, list_few, next_size

SECONDS = 0.08
"""How long a page may search; it says from where to go on."""
FEW = 20_000
"""Up to so many rows, an index lists them all, and the search looks at no others."""
CHUNK = 1_000

Condition = ColumnElement[bool]


class Lead(NamedTuple):
    """Conditions that an index answers each, and that together hold all that is sought."""

    alternatives: Sequence[Condition]


class Sought(NamedTuple):
    """Rows of a table: whose, by which further conditions, and what leads to them."""

    key: SQLColumnExpression[Any]
    owner: SQLColumnExpression[Any]
    workspace_id: int
    conditions: Sequence[Condition]
    leads: Sequence[Lead]

    def select(self, *conditions: Condition) -> Select[Any]:
        return select(self.key).where(self.owner == self.workspace_id, *conditions)


class Found(NamedTuple):
    """Keys, newest first, and the key before which the list goes on; None at its end."""

    keys: list[int]
    older: int | None


def search(sought: Sought, limit: int, before: int | None) -> Found:
    """Up to `limit` rows; fewer, or none, where the time ran out before the end of the list."""
    if not sought.conditions:
        return _page(_list(sought, [], limit + 1, before), limit, None)
    keys: list[int] = []
    oldest, high = _find_ends(sought, before)
    end, size, number = time.monotonic() + SECONDS, FIRST_WINDOW, 0
    while high > oldest and len(keys) <= limit:
        if number == WINDOWS_AT_FIRST and (few := _list_few(sought)) is not None:
            rest = sorted((key for key in few if key < high), reverse=True)
            return _page(keys + _choose(sought, rest, limit + 1 - len(keys)), limit, None)
        started, low = time.monotonic(), max(high - size, oldest)
        keys += _list(sought, [sought.key >= low], limit + 1 - len(keys), high)
        seconds = time.monotonic() - started
        high, size, number = low, next_size(size, seconds), number + 1
        if number > WINDOWS_AT_FIRST and is_over(end, seconds):
            break
        time.sleep(0)  # Lets the other requests of the process have their turn.
    return _page(keys, limit, high if high > oldest else None)


def _page(keys: list[int], limit: int, stopped_at: int | None) -> Found:
    if len(keys) > limit:
        return Found(keys[:limit], keys[limit - 1])
    return Found(keys, stopped_at)


def _find_ends(sought: Sought, before: int | None) -> tuple[int, int]:
    """The least key that the workspace has, and the one that the search begins below."""
    oldest = db.session.scalar(sought.select().order_by(sought.key).limit(1))
    newest = db.session.scalar(sought.select().order_by(sought.key.desc()).limit(1))
    high = (newest or 0) + 1
    return oldest or 0, high if before is None else min(high, before)


def _list(sought: Sought, more: list[Condition], limit: int, before: int | None) -> list[int]:
    query = sought.select(*sought.conditions, *more)
    if before is not None:
        query = query.where(sought.key < before)
    return list(db.session.scalars(query.order_by(sought.key.desc()).limit(limit)))


def _choose(sought: Sought, keys: list[int], limit: int) -> list[int]:
    """Those of a list that fit."""
    found: list[int] = []
    for start in range(0, len(keys), CHUNK):
        listed = sought.key.in_(keys[start : start + CHUNK])
        found += _list(sought, [listed], limit - len(found), None)
        if len(found) >= limit:
            break
    return found


def _list_few(sought: Sought) -> set[int] | None:
    """All keys that could fit, where something that leads to them tells that they are few."""
    for lead in sought.leads:
        few = list_few([select(sought.key).where(each) for each in lead.alternatives], FEW)
        if few is not None:
            return few
    return None

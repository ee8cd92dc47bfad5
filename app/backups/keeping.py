"""How scheduled backups are called, and which of them are kept: one a day, then one a week."""

import re
import time
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from app.backups.making import ENDINGS
from app.clock import now
from app.extensions import db

_FORM = "%Y%m%d-%H%M%S"
_NAME = re.compile(r"flowpulse-auto-(\d{8}-\d{6})\.(?:db|dump)")
"""No other file is ever removed, least of all a backup that somebody has made by hand."""
_DRAFT = re.compile(rf"\.{_NAME.pattern}\.[0-9a-f]{{8}}")
DRAFT_SECONDS = 24 * 3600
"""A draft that is older was left behind by a backup that was killed."""


def auto_name() -> str:
    """One for each second, in the order of time."""
    return f"flowpulse-auto-{now().astimezone(UTC):{_FORM}}.{ENDINGS[db.engine.dialect.name]}"


def choose_kept(names: Iterable[str], daily: int, weekly: int) -> set[str]:
    """Of those that `auto_name` has named: the newest of all, the newest of each of the last
    `daily` days that have one, and of each of the last `weekly` weeks (ISO 8601, UTC)."""
    made = {name: found for name in names if (found := _read(name))}
    newest = sorted(made, key=lambda name: made[name], reverse=True)
    by_day = _newest_of(newest, lambda name: made[name].date(), max(daily, 1))
    by_week = _newest_of(newest, lambda name: made[name].isocalendar()[:2], weekly)
    return by_day | by_week


def _newest_of(newest: list[str], part: Callable[[str], Hashable], most: int) -> set[str]:
    firsts: dict[Hashable, str] = {}
    for name in newest:
        firsts.setdefault(part(name), name)
    return set(list(firsts.values())[:most])


def remove_past(folder: Path, daily: int, weekly: int) -> list[Path]:
    """Remove what is not kept, and what killed backups have left; returns what went."""
    names = [path.name for path in folder.iterdir() if _read(path.name)]
    kept = choose_kept(names, daily, weekly)
    gone = [folder / name for name in sorted(names) if name not in kept]
    gone += [path for path in folder.iterdir() if _DRAFT.fullmatch(path.name) and _is_old(path)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _read(name: str) -> datetime | None:
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > DRAFT_SECONDS
    except FileNotFoundError:
        return False

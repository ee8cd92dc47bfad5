"""How much room the disk has left that the database is on, where it can be seen from here."""

import shutil
from pathlib import Path
from typing import NamedTuple

from app.extensions import db, is_sqlite

LOW_BYTES, LOW_SHARE = 200 * 2**20, 0.05
"""Less is little: the larger of the two, since a hundredth of a large disk lasts for days."""
FULL_BYTES = 2 * 2**20
"""SQLite's log grows by so much between two looks."""


class Disk(NamedTuple):
    """The folder that was looked at, and the bytes of its disk."""

    folder: Path
    free: int
    total: int

    @property
    def is_low(self) -> bool:
        return self.free < max(LOW_BYTES, self.total * LOW_SHARE)

    @property
    def is_full(self) -> bool:
        return self.free < FULL_BYTES


def look_at_disk() -> Disk | None:
    """Of a SQLite database; None for PostgreSQL, which may run anywhere and doesn't tell."""
    return look_at(Path(str(db.engine.url.database)).parent) if is_sqlite() else None


def look_at(folder: Path) -> Disk:
    """Of a folder, or where it would be made."""
    found = next(place for place in (folder, *folder.parents) if place.is_dir())
    usage = shutil.disk_usage(found)
    return Disk(found, usage.free, usage.total)

"""How much room a disk has left, and when that is little."""

import shutil
from pathlib import Path
from typing import NamedTuple

LOW_BYTES, LOW_SHARE = 200 * 2**20, 0.05
"""Less is little: the larger of the two, since a hundredth of a large disk lasts for days."""
FULL_BYTES = 2 * 2**20
"""SQLite's log grows by so much between two looks."""
SETTING = "FLOWPULSE_DATABASE_DISK_GB"
"""What PostgreSQL's disk has for the database, where it can't be seen from here."""


class Disk(NamedTuple):
    """The folder that was looked at, and the bytes of its disk; without a folder they are what
    SETTING says, less what the database takes."""

    folder: Path | None
    free: int
    total: int

    @property
    def is_low(self) -> bool:
        return self.free < max(LOW_BYTES, self.total * LOW_SHARE)

    @property
    def is_full(self) -> bool:
        """Of a disk that was looked at: what is reckoned is no reason to refuse anything."""
        return self.folder is not None and self.free < FULL_BYTES

    @property
    def place(self) -> str:
        """For a sentence that tells what is left."""
        return f"where {self.folder} is" if self.folder else f"for the database, by {SETTING}"


def look_at(folder: Path) -> Disk:
    """Of a folder, or where it would be made."""
    found = next(place for place in (folder, *folder.parents) if place.is_dir())
    usage = shutil.disk_usage(found)
    return Disk(found, usage.free, usage.total)

"""Whether what is written to a folder reaches a disk."""

import tempfile
from pathlib import Path

import psutil

ON_DISK, IN_MEMORY = "on disk, synced", "in memory"
_OF_MEMORY = ("tmpfs", "ramfs")


def kind_of(folder: Path | None = None) -> str:
    """ON_DISK or IN_MEMORY; by default of the folder in which durable databases are made."""
    whole = (folder or Path(tempfile.gettempdir())).resolve()
    kinds = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    nearest = next((kinds[each] for each in (whole, *whole.parents) if each in kinds), "")
    return IN_MEMORY if nearest in _OF_MEMORY else ON_DISK

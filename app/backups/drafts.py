"""A file that is there whole or not at all: written beside its place, for its owner alone."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYNC_EVERY = 8 * 2**20
"""Bytes that are written before they are brought to the disk: a gigabyte at once at the end would
hold up every commit of the server's for as long as that takes."""


@contextmanager
def drafted(place: Path, is_replaced: bool = False) -> Iterator[Path]:
    """An empty file (mode 0600) that takes its place, synced, when the block ends without an error.

    Raises FileExistsError where something is there already that may not be replaced.
    """
    draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        sync(draft)
        (os.replace if is_replaced else os.link)(draft, place)
        sync(place.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

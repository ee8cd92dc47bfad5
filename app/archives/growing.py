"""An archive that is read while it is written.

It is of one moment, which the database has to keep until all of it is written: so that is done
beside requests and as fast as they let it, to a file without a name, and a reader on a poor line
holds nothing up. The file is in the data folder: `/tmp` may be small, and memory.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any

from flask import Flask, current_app

from app.archives.layout import ArchiveError
from app.archives.making import write_archive
from app.extensions import db, is_sqlite
from app.models import Workspace
from app.processing.disk_space import look_at

PIECE_BYTES = 64 * 1024
WORK_SECONDS = 0.01
"""After so long, all else that the process serves has its turn for as long."""
LOOK_EVERY = 8 * 2**20
"""Bytes after which the disk is looked at: it may be the database's, too."""
UNDER_WAY = "Another export is under way. Try again once it has ended."
NO_ROOM = "The disk that {} is on has too little space left for an export."
_one_at_a_time = threading.Lock()
"""In each process."""

logger = logging.getLogger(__name__)


class GivenUpError(Exception):
    """Its reader has gone."""


class GrowingFile:
    """Written at its end, as `zipfile` does where it can't go back; read from its beginning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - gone once nobody holds it.
        self._written, self._look_at = 0, 0
        self._began = time.monotonic()
        self._has_ended = self._is_given_up = False
        self._error: Exception | None = None
        self._grown = threading.Condition()

    def write(self, data: Any) -> int:
        """Raises GivenUpError, ArchiveError where the disk is nearly full, and OSError."""
        if self._is_given_up:
            raise GivenUpError
        if self._written >= self._look_at:
            self._look_for_room()
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        with self._grown:
            self._written += len(data)
            self._grown.notify_all()
        self._rest()
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self, error: Exception | None = None) -> None:
        """No more will come; `error` is why, where it is not whole."""
        with self._grown:
            self._has_ended, self._error = True, error
            self._grown.notify_all()

    def give_up(self) -> None:
        """Nobody reads it any more."""
        self._is_given_up = True

    def pieces(self) -> Iterator[bytes]:
        """As they come. Raises what has kept the rest from being written."""
        start = 0
        while piece := self._wait_for(start):
            yield piece
            start += len(piece)

    def _wait_for(self, start: int) -> bytes:
        with self._grown:
            self._grown.wait_for(lambda: self._written > start or self._has_ended)
        if self._written > start:
            return os.pread(self._file.fileno(), PIECE_BYTES, start)
        if self._error:
            raise self._error
        return b""

    def _look_for_room(self) -> None:
        if look_at(self._folder).is_low:
            raise ArchiveError(NO_ROOM.format(self._folder))
        self._look_at = self._written + LOOK_EVERY

    def _rest(self) -> None:
        """Between rows: a table is written in one go."""
        worked = time.monotonic() - self._began
        if worked > WORK_SECONDS:
            time.sleep(worked)
            self._began = time.monotonic()


def begin_archive(workspace: Workspace) -> GrowingFile:
    """Begin to write all that a workspace has. Raises ArchiveError where another is under way."""
    if not _one_at_a_time.acquire(blocking=False):
        raise ArchiveError(UNDER_WAY)
    try:
        file, app = GrowingFile(_find_folder()), current_app._get_current_object()  # type: ignore[attr-defined]
        told = {"id": workspace.public_id, "name": workspace.name}
        work = (app, workspace.id, told, file)
        threading.Thread(target=_write, args=work, name="export", daemon=True).start()
    except BaseException:
        _one_at_a_time.release()
        raise
    return file


def _find_folder() -> Path:
    """Where the SQLite database is or, without one, the data folder; the one for temporary files
    where there is none, as with PostgreSQL and the secret key in the settings."""
    data = Path(current_app.config["FLOWPULSE_DATA_DIR"]).resolve()
    folder = Path(str(db.engine.url.database)).parent if is_sqlite() else data
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(gettempdir())


def _write(app: Flask, workspace_id: int, told: dict[str, str], file: GrowingFile) -> None:
    """Whatever goes wrong is the reader's to raise."""
    error: Exception | None = None
    try:
        with app.app_context():
            write_archive(workspace_id, told, file)
    except Exception as problem:
        error = problem
        if not file._is_given_up:
            logger.warning("The export of a workspace broke off: %s", problem)
    finally:
        _one_at_a_time.release()
        file.end(error)

"""How much room the database has left: on its disk, where it is seen from here, or by a setting."""

import os
import time
from contextlib import suppress
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import text

from app.doctor.places import database_folder
from app.doctor.probing import FAILURES, Probe
from app.extensions import db, is_sqlite
from app.processing.disk_space import SETTING, Disk, look_at

GIGABYTE = 2**30
KNOWN_SECONDS = 60.0
"""For so long a process goes by what PostgreSQL has told; a folder is looked at each time."""
WAIT_SECONDS = 0.5
_SERVER = text(
    "SELECT pg_backend_pid(), (SELECT setting FROM pg_settings WHERE name = 'data_directory')"
)
"""The view leaves out what the role may not read, where SHOW would be an error in the log."""
_SIZE = text("SELECT pg_database_size(current_database())")


def examine_disk() -> Disk | None:
    """As it is now; None for a PostgreSQL whose disk is neither seen from here nor set. Raises
    FAILURES where the database can't be asked."""
    if is_sqlite():
        return look_at(database_folder())
    pid, folder = db.session.execute(_SERVER).one()
    if folder is not None and _is_here(pid):
        with suppress(OSError):  # Somebody's closed folder.
            if Path(folder).is_dir():
                return look_at(Path(folder))
    total = int(current_app.config[SETTING]) * GIGABYTE
    if not total:
        return None
    return Disk(None, max(total - int(db.session.execute(_SIZE).scalar_one()), 0), total)


def look_at_disk() -> Disk | None:
    """As examine_disk, for pages and probes: raises nothing, and asks PostgreSQL once a minute."""
    watch: DiskWatch = current_app.extensions["flowpulse_disk"]
    return watch.look()


class DiskWatch:
    """What a web process knows of the database's disk; one per app."""

    def __init__(self, app: Flask) -> None:
        self._probe = Probe(app, examine_disk)
        self._known: Disk | None = None
        self._asked_at = float("-inf")

    def look(self) -> Disk | None:
        """What was known last, where PostgreSQL doesn't tell within WAIT_SECONDS."""
        if is_sqlite():
            return look_at(database_folder())
        if time.monotonic() - self._asked_at >= KNOWN_SECONDS:
            self._asked_at = time.monotonic()
            with suppress(TimeoutError, *FAILURES):
                self._known = self._probe.ask(WAIT_SECONDS)
        if self._known is not None and self._known.folder is not None:
            with suppress(OSError):
                return look_at(self._known.folder)
        return self._known


def _is_here(pid: int) -> bool:
    """Whether the server's process that answers is one of this machine's: else its folder is the
    name of something else here, as with a container, a tunnel or a cloud's proxy."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

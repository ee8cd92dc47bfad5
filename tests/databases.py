"""Fresh, migrated databases for the tests: quick copies of one template for each kind."""

import itertools
import shutil
from pathlib import Path
from typing import Protocol

from flask_migrate import upgrade

from app.extensions import db
from tests.apps import make_app
from tests.postgres import PostgresCluster

TEMPLATE = "template_flowpulse"
MEMORY = Path("/dev/shm")
"""Where files are in memory, and a commit doesn't wait for the disk, which takes milliseconds."""
ENOUGH = 1_000_000_000


def has_memory_for_files() -> bool:
    """Containers often have a few megabytes of it, or none."""
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH


class Databases(Protocol):
    """Databases of one kind, named by their URLs."""

    def create(self) -> str:
        """A migrated database."""

    def create_empty(self) -> str:
        """One without tables; on SQLite, a file that isn't there yet."""

    def drop(self, url: str) -> None:
        """At once."""

    def drop_later(self, url: str) -> None:
        """Once nobody needs to wait for it."""


class SqliteDatabases:
    """Files in one folder; a copy takes about a millisecond."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / f"{TEMPLATE}.db"
        self._numbers = itertools.count(1)
        _migrate(f"sqlite:///{self._template}", folder)

    def create(self) -> str:
        url = self.create_empty()
        shutil.copyfile(self._template, url.removeprefix("sqlite:///"))
        return url

    def create_empty(self) -> str:
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def drop(self, url: str) -> None:
        """The log, the index and the lock beside the file go too."""
        for ending in ("", "-wal", "-shm", "-journal", ".lock"):
            Path(url.removeprefix("sqlite:///") + ending).unlink(missing_ok=True)

    drop_later = drop


class PostgresDatabases:
    """Databases of the tests' own server; a copy takes about 20 milliseconds."""

    _numbers = itertools.count(1)  # For all: pytest may come back to a kind that it had left.

    def __init__(self, cluster: PostgresCluster) -> None:
        self._cluster = cluster
        if not cluster.has_template:
            _migrate(cluster.create_database(TEMPLATE), cluster.root)
            cluster.has_template = True

    def create(self) -> str:
        return self._cluster.create_database(f"test_{next(self._numbers)}", TEMPLATE)

    def create_empty(self) -> str:
        return self._cluster.create_database(f"test_{next(self._numbers)}")

    def drop(self, url: str) -> None:
        self._cluster.drop_database(url.rpartition("/")[2])

    def drop_later(self, url: str) -> None:
        self._cluster.drop_later(url.rpartition("/")[2])


def _migrate(url: str, data_dir: Path) -> None:
    app = make_app(url, data_dir)
    with app.app_context():
        upgrade()
        db.engine.dispose()

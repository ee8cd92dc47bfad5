"""Which store opens which database."""

from collections.abc import Callable

from sqlalchemy import URL

from app.ingest.postgres_store import PostgresStore
from app.ingest.sqlite_store import SqliteStore
from app.ingest.store import Store

STORES: dict[str, Callable[[URL], Store]] = {"sqlite": SqliteStore, "postgresql": PostgresStore}


def open_store(url: URL) -> Store:
    """The store for a database's URL."""
    return STORES[url.get_backend_name()](url)

"""Which store opens which database."""

from importlib import import_module
from typing import cast

from sqlalchemy import URL

from app.ingest.store import Store

STORES = {
    "sqlite": ("app.ingest.sqlite_store", "SqliteStore"),
    "postgresql": ("app.ingest.postgres_store", "PostgresStore"),
}
"""Loaded when it is needed: psycopg takes 8 MB, and a server with SQLite has no use for it."""


def open_store(url: URL) -> Store:
    """The store for a database's URL."""
    module, name = STORES[url.get_backend_name()]
    return cast(Store, getattr(import_module(module), name)(url))

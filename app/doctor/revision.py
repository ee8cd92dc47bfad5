"""The newest migration that this program knows, without Alembic, which takes 15 MB."""

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text

MIGRATIONS = Path(__file__).parents[2] / "migrations"
TABLE = "alembic_version"
_OWN = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
_BEFORE = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)


def _read_scripts() -> tuple[frozenset[str], str]:
    """All revisions, and the one that no other comes after. Raises ValueError for several."""
    scripts = [path.read_text() for path in (MIGRATIONS / "versions").glob("*.py")]
    own, before = ({*_all(pattern, scripts)} for pattern in (_OWN, _BEFORE))
    (newest,) = own - before
    return frozenset(own), newest


def _all(pattern: re.Pattern[str], texts: list[str]) -> list[str]:
    return [found for text in texts for found in pattern.findall(text)]


ALL, NEWEST = _read_scripts()
"""Read once: what is on the disk later may be a newer program than the one that runs."""


def find_in_database(connection: Connection) -> str | None:
    """The database's revision; None where it has no tables."""
    if not inspect(connection).has_table(TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {TABLE}"))  # noqa: S608
    return None if found is None else str(found)

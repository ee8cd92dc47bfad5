"""What PostgreSQL has otherwise than the models say: a table of events for each month."""

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect

PARTITION = re.compile(r"events_(other|(until_)?\d{4}_\d\d(_gone)?)")
"""The tables that `events` is made of there: app/processing/partitions.py makes and drops them."""
UNIQUE_IN_EACH = ("unique_constraint", "uq_events_public_id")
"""PostgreSQL keeps nothing unique over all partitions that leaves out the time they are split by:
the primary key and this constraint are each partition's own."""


def is_compared_on(dialect: Dialect) -> Callable[..., bool]:
    """For Alembic: whether something has to be the same in the models and in the database."""

    def is_compared(
        item: Any, name: str | None, kind: str, is_in_database: bool, counterpart: Any
    ) -> bool:
        if dialect.name != "postgresql":
            return True
        is_partition = kind == "table" and is_in_database and PARTITION.fullmatch(name or "")
        return not is_partition and (kind, name) != UNIQUE_IN_EACH

    return is_compared

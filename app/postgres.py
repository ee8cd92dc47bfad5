"""How connections to PostgreSQL are opened: both ends notice that the other is gone."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import make_url

NOTICE_HERE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,
}
"""For the driver: a sender is told 503 within seconds when the way to the database is cut, where
the system's own limits would let it wait for a quarter of an hour."""
POOL_SECONDS = 4.0
"""How long a page waits for a connection, where all of them are in use or being opened in vain."""
REPLICA_NOTICES = NOTICE_HERE | {"connect_timeout": 2, "tcp_user_timeout": 2_000}
"""A page can be read elsewhere, and should not wait for long."""
NOTICE_THERE = (
    "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=5000"
)
"""For the server: it ends the session of a machine that is cut off."""
DATES_THERE = "-c datestyle=ISO,MDY"
"""The only way of writing them that is read here and by the driver, whatever way the role or the
database has."""
LET_GO = "SET LOCAL idle_in_transaction_session_timeout = 8000"
"""Milliseconds for which a transaction that writes may stand still. A worker that is cut off in the
middle of a batch holds up its events, and all other workers' beats, for so long at most."""

LET_GO_AND_SORT_NOTHING = (
    "SELECT set_config('idle_in_transaction_session_timeout', '8000', true),"
    " set_config('enable_sort', 'off', true)"
)
"""The same, and the planner sorts only where there is no other way: in one statement, since each is
waited for."""
SORT_AGAIN = "(SELECT set_config('enable_sort', 'on', true)) IS NOT NULL"
"""A condition that holds: a statement with it is planned without sorting, and all later ones are
not. It is looked at once, also where there are no rows."""


def engine_options(url: str, notices: Mapping[str, Any] = NOTICE_HERE) -> dict[str, Any]:
    """What the engine is made with; what the URL says wins."""
    wanted = make_url(url)
    if wanted.get_backend_name() != "postgresql":
        return {"hide_parameters": True}
    options = f"{NOTICE_THERE} {DATES_THERE} {wanted.query.get('options', '')}".strip()
    own = {name: value for name, value in notices.items() if name not in wanted.query}
    return {
        "connect_args": {**own, "options": options},
        "pool_timeout": POOL_SECONDS,
        "hide_parameters": True,
    }

"""How far the replica is, and whether it can be used."""

from typing import NamedTuple

from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.clock import timestamp
from app.extensions import REPLICA, db

MOST_BEHIND_SECONDS = 30.0
_STATE = text(
    "SELECT pg_is_in_recovery(), extract(epoch FROM pg_last_xact_replay_timestamp())::float"
)


class State(NamedTuple):
    """The moment up to which the replica knows everything; or why it can't be used."""

    knows_until: float = 0.0
    problem: str | None = None

    @property
    def behind_seconds(self) -> float:
        return max(0.0, timestamp() - self.knows_until)


def read_state() -> State:
    """Asks the replica."""
    try:
        with db.engines[REPLICA].connect() as connection:
            is_replica, knows_until = connection.execute(_STATE).one()
    except DBAPIError as error:
        return State(problem=first_line(error))
    if not is_replica:
        return State(problem="The server at FLOWPULSE_REPLICA_URL is no streaming replica.")
    if knows_until is None:
        return State(problem="It has received nothing yet.")
    return State(knows_until)


def describe_replica() -> State | None:
    """For people; None where none is set."""
    return read_state() if current_app.config["FLOWPULSE_REPLICA_URL"] else None


def first_line(error: DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]

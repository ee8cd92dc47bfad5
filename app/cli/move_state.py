"""What a PostgreSQL database says of the move that fills it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from app.cli.move_columns import Mended

BEGIN = (
    "CREATE SCHEMA flowpulse_move",
    "CREATE TABLE flowpulse_move.state (whose text NOT NULL, path text NOT NULL, "
    "fingerprint text NOT NULL, begun_at timestamptz NOT NULL DEFAULT now(), "
    "finished_at timestamptz)",
    "CREATE TABLE flowpulse_move.progress (name text PRIMARY KEY, after bigint NOT NULL, "
    "is_complete boolean NOT NULL, counts text NOT NULL, growth text NOT NULL)",
    """
    CREATE FUNCTION flowpulse_move.keep_others_out() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('flowpulse.is_moving', true) IS DISTINCT FROM 'yes' THEN
            RAISE EXCEPTION 'a move to this database is not complete'
                USING ERRCODE = 'cannot_connect_now';
        END IF;
        RETURN NULL;
    END $$
    """,
)
"""In a schema of its own, where no migration looks."""
KEEP_OUT = (
    'CREATE TRIGGER flowpulse_move BEFORE INSERT OR UPDATE OR DELETE ON "{}" '
    "FOR EACH STATEMENT EXECUTE FUNCTION flowpulse_move.keep_others_out()"
)
"""A server that is started too early answers 503: what it took would be in the way of old rows."""


@dataclass(frozen=True, slots=True)
class State:
    """What the target says of a move that was begun."""

    whose: str
    path: str
    fingerprint: str
    begun_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table is: the number of the last row that is over."""

    after: int
    is_complete: bool
    mended: Mended


def read_state(connection: Connection) -> State | None:
    """What a PostgreSQL database says of a move to it; None where none has begun."""
    if not connection.scalar(text("SELECT to_regclass('flowpulse_move.state')")):
        return None
    row = connection.execute(
        text("SELECT whose, path, fingerprint, begun_at, finished_at FROM flowpulse_move.state")
    )
    return State(*row.one())

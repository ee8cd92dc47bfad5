"""What a PostgreSQL database says of the move that fills it."""

from dataclasses import dataclass

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
class Progress:
    """How far a table is: the number of the last row that is over."""

    after: int
    is_complete: bool
    mended: Mended

"""Whether the present database was moved away, or is half-way from another one."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from app.extensions import db, is_sqlite
from app.invocation import shell_command
from app.write_lock import note_of_move


@dataclass(frozen=True, slots=True)
class State:
    """What the target says of a move that was begun."""

    whose: str
    path: str
    fingerprint: str
    begun_at: datetime
    finished_at: datetime | None


def read_state(connection: Connection) -> State | None:
    """What a PostgreSQL database says of a move to it; None where none has begun."""
    if not connection.scalar(text("SELECT to_regclass('flowpulse_move.state')")):
        return None
    row = connection.execute(
        text("SELECT whose, path, fingerprint, begun_at, finished_at FROM flowpulse_move.state")
    )
    return State(*row.one())


def why_not_to_start() -> tuple[str, str] | None:
    """What keeps a server from starting on the present database, and what to do about it."""
    return _was_left() if is_sqlite() else _is_half_filled()


def _was_left() -> tuple[str, str] | None:
    path = Path(str(db.engine.url.database))
    note = note_of_move(path)
    if not note.is_file():
        return None
    return (
        f"{path} was moved to {note.read_text().strip()}: what comes in here is missing there.",
        f"Set FLOWPULSE_DATABASE_URL to that database or, to go back to this one, remove {note}.",
    )


def _is_half_filled() -> tuple[str, str] | None:
    with db.engine.connect() as connection:
        state = read_state(connection)
    if state is None or state.finished_at:
        return None
    return (
        f"A move from {state.path} to this database has begun and is not complete.",
        "Run it again, with the settings that the server had: " + shell_command("move --to …"),
    )

"""What a move leaves behind, so that no server starts on the wrong database by mistake."""

from pathlib import Path

from app.cli.move_state import read_state
from app.cli.text import show
from app.clock import now
from app.extensions import db, is_sqlite
from app.invocation import shell_command
from app.write_lock import note_of_move


def note_move(database: Path, to: str) -> None:
    """Beside the SQLite file, which itself stays as it is; for its owner alone, as that is."""
    note = note_of_move(database)
    note.touch(0o600)
    note.chmod(0o600)
    note.write_text(f"{to}, {show(now())}\n")


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

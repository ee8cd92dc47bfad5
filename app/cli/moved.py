"""What a move leaves behind, so that no server starts on the wrong database by mistake."""

from pathlib import Path

from app.cli.text import show
from app.clock import now
from app.write_lock import note_of_move


def note_move(database: Path, to: str) -> None:
    """Beside the SQLite file, which itself stays as it is; for its owner alone, as that is."""
    note = note_of_move(database)
    note.touch(0o600)
    note.chmod(0o600)
    note.write_text(f"{to}, {show(now())}\n")

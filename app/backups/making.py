"""Makes a backup: copied, opened, counted and compared before it takes its name."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.backups import postgres, sqlite
from app.backups.contents import MAGIC, POSTGRESQL, SQLITE, BackupError, Contents
from app.backups.drafts import drafted
from app.clock import now
from app.extensions import db, is_sqlite

ENDINGS = {SQLITE: "db", POSTGRESQL: "dump"}
EXAMINERS: dict[str, Callable[[Path], Contents]] = {
    SQLITE: sqlite.examine,
    POSTGRESQL: postgres.examine,
}


@dataclass(frozen=True, slots=True)
class Backup:
    """One that was made and checked."""

    path: Path
    size: int
    """In bytes."""
    seconds: float
    contents: Contents


def make_backup(path: Path, is_replaced: bool = False) -> Backup:
    """Write a backup to this file. The server goes on meanwhile.

    Raises BackupError where it can't be made, or is not what the database held. What was there
    before is replaced by a good one only, and only if that is said.
    """
    _ensure_place(path, is_replaced)
    began = time.monotonic()
    try:
        with drafted(path, is_replaced) as draft:
            contents = sqlite.write(_database(), draft) if is_sqlite() else postgres.write(draft)
            copy = EXAMINERS[db.engine.dialect.name](draft)
            differences = list(contents.differences(copy))
            if differences:
                raise BackupError(f"The copy is not what was copied: {'; '.join(differences)}.")
            size = draft.stat().st_size
    except FileExistsError as error:
        raise BackupError(_is_there(path)) from error
    return Backup(path, size, time.monotonic() - began, copy)


def default_name() -> str:
    """One for each second, in the order of time."""
    return f"flowpulse-{now():%Y%m%d-%H%M%S}.{ENDINGS[db.engine.dialect.name]}"


def kind_of(path: Path) -> str:
    """Of which kind of database a file is a backup. Raises BackupError for anything else."""
    with path.open("rb") as file:
        begin = file.read(16)
    for kind, magic in MAGIC.items():
        if begin.startswith(magic):
            return kind
    raise BackupError(f"{path} is no backup: it begins like nothing that `backup` writes.")


def _database() -> Path:
    return Path(str(db.engine.url.database))


def _ensure_place(path: Path, is_replaced: bool) -> None:
    """Nothing but a former backup may be replaced, least of all the database itself."""
    if not path.parent.is_dir():
        raise BackupError(f"The folder {path.parent} is not there. Make it, or name another file.")
    if not path.exists():
        return
    if not is_replaced:
        raise BackupError(_is_there(path))
    if not path.is_file() or (is_sqlite() and path.samefile(_database())):
        raise BackupError(f"{path} is no backup that could be replaced. Name another file.")
    kind_of(path)


def _is_there(path: Path) -> str:
    return f"{path} is there already. Name another file, or add --replace."

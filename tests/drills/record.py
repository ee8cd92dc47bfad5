"""What the drills found: one file a drill, from which docs/reliability.md is drawn."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.storage import kind_of

Figure = int | float | str
Found = dict[str, Figure]
ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "results"
BROKEN, SKIPPED = "is_broken", "skipped"
"""Figures of a drill that has begun and recorded nothing, and of one that could not be run again:
the date of that."""


def record(drill: str, database: str, **figures: Figure) -> None:
    """Keep what a drill measured on a database, `sqlite` or `postgresql`, in place of the last.

    Call it before the pass mark is asserted: a run that fails is told of as well. `drill` is one of
    `tests.drills.reliability.DRILLS`, whose template names the figures. `storage` among them: where
    the database was, one of `tests.storage`; otherwise it was where drills have theirs. `load` is
    the machine's load average of the last minute over its processors. `code`: which state of app/
    was tried.
    """
    with _changing(drill) as found:
        found[database] = {"storage": kind_of(), **figures, **_describe_run()}


def begin(drill: str, database: str) -> Found | None:
    """Until it records something, the drill is one that did not finish; returns what was there."""
    with _changing(drill) as found:
        before = found.get(database)
        found[database] = {BROKEN: 1, **_describe_run()}
    return before


def skip(drill: str, database: str, before: Found | None) -> None:
    """It could not be run here: what was found before it began, if anything, is put back."""
    with _changing(drill) as found:
        found[database] = {**(before or _describe_run()), SKIPPED: _today()}


def read(drill: str) -> dict[str, Found]:
    """The last figures of a drill by database; empty where it was never run."""
    file = FOLDER / f"{drill}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


@contextmanager
def _changing(drill: str) -> Iterator[dict[str, Found]]:
    """One process at a time: others may run the same drill on another database."""
    FOLDER.mkdir(exist_ok=True)
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        found = read(drill)
        yield found
        text = json.dumps(found, indent=1, sort_keys=True)
        (FOLDER / f"{drill}.json").write_text(text + "\n", encoding="utf-8")
    finally:
        os.close(folder)


def _describe_run() -> Found:
    processors = os.cpu_count() or 1
    return {
        "date": _today(),
        "machine": f"{processors} processors, Python {sys.version_info[0]}.{sys.version_info[1]}",
        "load": round(os.getloadavg()[0] / processors, 1),
        **_name_code(),
    }


def _name_code() -> Found:
    """How `git rev-parse --short HEAD:app` names it, with `+` where files differ from that; nothing
    where git can't tell."""
    try:
        name = _ask_git("rev-parse", "--short=8", "HEAD:app")
        changes = _ask_git("status", "--porcelain", "--", "app")
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"code": name + ("+" if changes else "")}


def _ask_git(*words: str) -> str:
    call = ["git", *words]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _today() -> str:
    return datetime.now(UTC).date().isoformat()

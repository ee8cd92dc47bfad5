"""The backup of each day: made by one worker of all, in a process of its own, and not twice."""

import logging
import subprocess
import sys
from datetime import datetime, time, timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db, writing
from app.models import BackupTurn, WorkerHeartbeat
from app.models.columns import UtcDateTime
from app.processing.downtimes import STALLED_AFTER

SETTING = "FLOWPULSE_BACKUP_DIR"
AGAIN_AFTER = timedelta(hours=1)
"""After a failure."""
MOST_PROBLEM = 500
STOP_SECONDS = 5
WSGI = Path(__file__).parents[2] / "wsgi"
COMMAND = (sys.executable, "-m", "flask", "--app", str(WSGI), "backup", "--scheduled")
_TAKE = text(
    "INSERT INTO backup_turns (id, due_at, taken_by, begun_at) VALUES (1, :due, :name, :at) "
    "ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, taken_by = excluded.taken_by, "
    "begun_at = excluded.begun_at, finished_at = NULL, problem = NULL "
    "WHERE backup_turns.begun_at = :seen"
).bindparams(*(bindparam(each, type_=UtcDateTime()) for each in ("due", "at", "seen")))

logger = logging.getLogger(__name__)


def last_due(at: datetime) -> datetime:
    """The last moment, up to now, for which a backup was due."""
    hours, minutes = map(int, current_app.config["FLOWPULSE_BACKUP_AT"].split(":"))
    due = datetime.combine(at.date(), time(hours, minutes), at.tzinfo)
    return due if due <= at else due - timedelta(days=1)


class BackupSchedule:
    """One a worker: begins what is due and nobody else makes, and sees what became of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[str] | None = None

    def look(self) -> None:
        """Hardly costs anything; to be called every half a minute or so."""
        if self._process is not None:
            self._see_to(self._process)
        elif current_app.config[SETTING] and self._take():
            self._process = subprocess.Popen(  # noqa: S603 - all arguments are our own.
                COMMAND,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )

    def end(self) -> None:
        """Stop one that is under way: the next worker begins it anew."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        self._process = None

    def _see_to(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            return
        said = process.communicate()[1].strip().splitlines()
        self._process = None
        problem = None
        if process.returncode:
            last = said[-1].removeprefix("Error: ") if said else f"exit code {process.returncode}"
            problem = last[:MOST_PROBLEM].replace("\0", "")
            logger.error("The scheduled backup failed: %s", problem)
        with writing() as session:
            turn = session.get(BackupTurn, 1, with_for_update=True)
            if turn is not None and turn.taken_by == self._name:
                turn.finished_at, turn.problem = now(), problem

    def _take(self) -> bool:
        """Whether it is due, and this worker's to make."""
        at = now()
        turn = db.session.get(BackupTurn, 1, populate_existing=True)
        due = last_due(at)
        is_free = turn is None or _is_free(db.session(), turn, due, at)
        given = {"due": due, "name": self._name, "at": at, "seen": turn.begun_at if turn else None}
        db.session.rollback()
        if not is_free:
            return False
        with writing() as session:
            return bool(session.execute(_TAKE, given).rowcount)  # type: ignore[attr-defined]


def _is_free(session: Session, turn: BackupTurn, due: datetime, at: datetime) -> bool:
    """Whether it is done for now, failed a while ago, or was left by a worker that is gone."""
    if turn.finished_at is None:
        beat = select(WorkerHeartbeat.seen_at).where(WorkerHeartbeat.name == turn.taken_by)
        seen_at = session.scalar(beat)
        return seen_at is None or at - seen_at > STALLED_AFTER
    if turn.problem is not None:
        return at - turn.finished_at >= AGAIN_AFTER
    return turn.due_at < due

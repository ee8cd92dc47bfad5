"""The worker: a process that turns accepted events into runs until it is told to stop.

Messages are sent by a thread of their own (the courier), which never holds up the loop.
"""

import gc
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from types import FrameType
from typing import ParamSpec, TypeVar, cast

from flask import Flask, current_app

from app.alerting.ticking import tick
from app.channels.courier import Courier
from app.clock import now
from app.extensions import OUTAGES, db, writing
from app.models import WorkerHeartbeat
from app.processing.backup_schedule import BackupSchedule
from app.processing.batch import process_batch
from app.processing.clock_jumps import call_back, was_set_back
from app.processing.downtimes import BEAT_EVERY, STALLED_AFTER, note_worker
from app.processing.pace import Pace
from app.processing.partitions import tend_partitions
from app.processing.schedules import judge_schedules
from app.processing.shared_clock import read_shared_clock
from app.processing.silence_causes import explain_silence
from app.processing.stuck_runs import mark_stuck_runs
from app.processing.sweeping import Sweeper, sweep_on
from app.processing.tallying import tally
from app.processing.weekly_digests import send_weekly_digests

IDLE_SECONDS = 0.1
OUTAGE_SECONDS = 1.0
TIDY_EVERY = timedelta(seconds=30)
SWEEP_WHEN_BEHIND_EVERY = timedelta(seconds=1)
JUDGE_EVERY = timedelta(seconds=1)
WATCH_EVERY = timedelta(seconds=1)
OBJECTS_UNTIL_COLLECTION = 4_000
"""As in gunicorn.conf.py. With Python's 700, and all that was loaded looked over each time, others
waited for SQLite's write lock meanwhile."""

logger = logging.getLogger(__name__)

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Worker:
    """Runs inside an app context; any number may run at once, on both databases."""

    def __init__(self, pace: Pace | None = None) -> None:
        # Containers on several machines may have the same name, and each a process 7.
        self.name = f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stopping = threading.Event()
        self._started_at = now()
        self._beat_at: datetime | None = None
        self._tidied_at: datetime | None = None
        self._sweeper = Sweeper()
        self._swept_at: datetime | None = None
        self._judged_at: datetime | None = None
        self._watched_at: datetime | None = None
        self._pace = pace or Pace()
        self._parent = os.getppid()
        self._backups = BackupSchedule(self.name)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; the batch at hand is finished first."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        courier = Courier()
        courier.start(cast(Flask, current_app._get_current_object()))  # type: ignore[attr-defined]
        gc.collect()
        gc.freeze()
        gc.set_threshold(OBJECTS_UNTIL_COLLECTION)
        while not self._stopping.is_set() and not self._is_orphaned():
            self._stopping.wait(self.work())
        self._backups.end()
        self._sweeper.end()
        courier.stop()
        self.sign_off()

    def work(self) -> float:
        """One round; returns for how many seconds to pause after it."""
        most = self._pace.begin()
        try:
            attempt(self.beat)
            claimed = attempt(process_batch, most, self._pace.breathe)
            self.judge()
            self.watch()
            self.tidy()
            rest = self.sweep(claimed == most)
            way = self._pace.rest(claimed or 0)
        except OUTAGES as error:
            db.session.rollback()
            logger.warning("The database can't be used, trying again: %s", error)
            return OUTAGE_SECONDS
        if claimed is None:
            return OUTAGE_SECONDS
        return way if claimed else min(rest, IDLE_SECONDS)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _is_orphaned(self) -> bool:
        """Whether supervisord is gone: a new one starts a worker of its own."""
        return "SUPERVISOR_ENABLED" in os.environ and os.getppid() != self._parent

    def beat(self) -> None:
        """Say that this worker lives; not more often than BEAT_EVERY."""
        if not _is_due(self._beat_at, BEAT_EVERY):
            return
        read_shared_clock()
        at = now()
        beat = WorkerHeartbeat(name=self.name, started_at=self._started_at, seen_at=at)
        with writing() as session:
            if was_set_back(session, at):
                call_back(session, at)
            session.merge(beat)
            note_worker(session, at)
        self._beat_at = at

    def judge(self) -> None:
        """Find what did not come and what does not end; not more often than JUDGE_EVERY."""
        at = now()
        if _is_due(self._judged_at, JUDGE_EVERY) and not self._has_jumped(at):
            self._judged_at = at
            attempt(judge_schedules, at)
            attempt(mark_stuck_runs, at)

    def watch(self) -> None:
        """Tell of what no event tells, and of what is due, and count; not more often than
        WATCH_EVERY."""
        at = now()
        if _is_due(self._watched_at, WATCH_EVERY) and not self._has_jumped(at):
            self._watched_at = at
            attempt(tick, self._watched_at, explain_silence)
            attempt(tally)

    def _has_jumped(self, at: datetime) -> bool:
        """Whether the clock was set ahead since the beat of this round: until the next one has
        noted that nobody was there meanwhile, all that was expected then would be missing."""
        return self._beat_at is not None and at - self._beat_at > STALLED_AFTER

    def tidy(self) -> None:
        """Send weekly digests, make tables ahead and backups, and begin to remove what may go; not
        more often than TIDY_EVERY."""
        if _is_due(self._tidied_at, TIDY_EVERY):
            self._tidied_at = now()
            attempt(send_weekly_digests)
            attempt(tend_partitions)
            attempt(self._backups.look)
            if not self._sweeper.is_under_way:
                self._sweeper.begin()

    def sweep(self, is_behind: bool) -> float:
        """Remove a little of what may go, and rarely where events wait; returns for how many
        seconds there is nothing more to remove."""
        if is_behind and not _is_due(self._swept_at, SWEEP_WHEN_BEHIND_EVERY):
            return 0.0
        self._swept_at = now()
        rest = attempt(sweep_on, self._sweeper) or 0.0
        return rest if self._sweeper.is_under_way else IDLE_SECONDS

    def sign_off(self) -> None:
        with writing() as session:
            beat = session.get(WorkerHeartbeat, self.name)
            if beat:
                session.delete(beat)


def _is_due(last: datetime | None, every: timedelta) -> bool:
    """Whether so much time has passed; a clock that was set back must not hold anything up."""
    return last is None or not timedelta() <= now() - last < every


def attempt(
    task: Callable[Given, Result], *given: Given.args, **more: Given.kwargs
) -> Result | None:
    """Do a part of the work; None where it fails for another reason than an outage.

    A row that one part can't cope with must neither hold up the others nor end the process, which
    would come back only to end over the same row.
    """
    try:
        return task(*given, **more)
    except OUTAGES:
        raise
    except Exception:
        db.session.rollback()
        logger.exception("The worker's part %s failed; the others go on.", task.__name__)
        return None

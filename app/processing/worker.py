"""The worker: a process that turns accepted events into runs until it is told to stop."""

import logging
import os
import signal
import socket
import threading
from datetime import datetime, timedelta
from types import FrameType

from sqlalchemy.exc import InterfaceError, OperationalError

from app.alerting.ticking import tick
from app.clock import now
from app.extensions import db, writing
from app.models import WorkerHeartbeat
from app.processing.batch import process_batch
from app.processing.retention import prune

BATCH_SIZE = 200
IDLE_SECONDS = 0.1
OUTAGE_SECONDS = 1.0
HEARTBEAT_EVERY = timedelta(seconds=5)
WATCH_EVERY = timedelta(seconds=1)
PRUNE_EVERY = timedelta(seconds=30)
STALLED_AFTER = timedelta(seconds=30)
"""A worker that was last seen longer ago than this stands still."""

logger = logging.getLogger(__name__)


class Worker:
    """Runs inside an app context; any number may run at once, on both databases."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:80]}:{os.getpid()}"
        self._stopping = threading.Event()
        self._started_at = now()
        self._beat_at: datetime | None = None
        self._pruned_at: datetime | None = None
        self._watched_at: datetime | None = None
        self._parent = os.getppid()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; the batch at hand is finished first."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping.is_set() and not self._is_orphaned():
            try:
                self.beat()
                busy = process_batch(BATCH_SIZE) > 0
                self.watch()
                self.tidy()
                pause = 0.0 if busy else IDLE_SECONDS
            except (OperationalError, InterfaceError) as error:
                db.session.rollback()
                logger.warning("The database can't be used, trying again: %s", error)
                pause = OUTAGE_SECONDS
            self._stopping.wait(pause)
        self.sign_off()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _is_orphaned(self) -> bool:
        """Whether supervisord is gone: a new one starts a worker of its own."""
        return "SUPERVISOR_ENABLED" in os.environ and os.getppid() != self._parent

    def beat(self) -> None:
        """Say that this worker lives; not more often than HEARTBEAT_EVERY."""
        if self._beat_at is not None and now() - self._beat_at < HEARTBEAT_EVERY:
            return
        self._beat_at = now()
        beat = WorkerHeartbeat(name=self.name, started_at=self._started_at, seen_at=self._beat_at)
        with writing() as session:
            session.merge(beat)

    def watch(self) -> None:
        """Look for what no event tells: not more often than WATCH_EVERY."""
        if self._watched_at is not None and now() - self._watched_at < WATCH_EVERY:
            return
        self._watched_at = now()
        try:
            tick(self._watched_at)
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # A rule that can't be judged must not hold up the events.
            db.session.rollback()
            logger.exception("Alerts could not be looked after.")

    def tidy(self) -> None:
        """Remove what is past its time; not more often than PRUNE_EVERY."""
        if self._pruned_at is None or now() - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now()
            prune()

    def sign_off(self) -> None:
        with writing() as session:
            beat = session.get(WorkerHeartbeat, self.name)
            if beat:
                session.delete(beat)

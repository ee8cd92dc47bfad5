"""A web process says every few seconds that it lives, beside its requests."""

import logging
import threading
from datetime import datetime, timedelta

from flask import Flask, current_app
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.clock import now
from app.extensions import db, writing
from app.models import Instance
from app.processing.downtimes import BEAT_EVERY, forget_web, note_web, stands_still
from app.processing.shared_clock import read_shared_clock

LOOK_EVERY = timedelta(minutes=1)
logger = logging.getLogger(__name__)


class WebBeat:
    """One per app; its thread starts with the process, after the fork.

    `is_failing`: whether the last beat could not be written.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._end = threading.Event()
        self._is_beating = False
        self.is_failing = False
        self._looked_at: datetime | None = None

    def start(self) -> None:
        self._is_beating = True
        threading.Thread(target=self._beat_on, name="web-beat", daemon=True).start()

    def stop(self) -> None:
        self._end.set()

    def note_served(self) -> None:
        """A page that is served by a process without beats tells that the missing ones of others
        mean nothing; looked for at most every LOOK_EVERY."""
        moment = now()
        was_looked_for = self._looked_at is not None and moment - self._looked_at < LOOK_EVERY
        if self._is_beating or was_looked_for:
            return
        self._looked_at = moment
        try:
            if stands_still(db.session.scalar(select(Instance.web_seen_at)), moment):
                with writing() as session:
                    forget_web(session, moment)
        except (SQLAlchemyError, OSError) as error:  # The page itself may need no database.
            db.session.rollback()
            logger.warning("That a page was served could not be noted: %s", error)

    def _beat_on(self) -> None:
        while not self._end.is_set():
            try:
                with self._app.app_context():
                    beat()
                self.is_failing = False
            except Exception as error:  # The next one may do; the requests go on in any case.
                self.is_failing = True
                logger.warning("The web process's beat could not be written: %s", error)
            self._end.wait(BEAT_EVERY.total_seconds())


def note_served() -> None:
    """Before each request for a page."""
    web_beat: WebBeat = current_app.extensions["flowpulse_web_beat"]
    web_beat.note_served()


def beat() -> None:
    """Where another process has just done so, that is enough."""
    read_shared_clock()
    moment = now()
    seen_at = db.session.scalar(select(Instance.web_seen_at))
    if seen_at is None or moment - seen_at > BEAT_EVERY / 2:
        with writing() as session:
            note_web(session, moment)

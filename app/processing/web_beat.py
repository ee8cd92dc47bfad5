"""A web process says every few seconds that it lives, beside its requests."""

import logging
import threading

from flask import Flask
from sqlalchemy import select

from app.clock import now
from app.extensions import db, writing
from app.models import Instance
from app.processing.downtimes import BEAT_EVERY, note_web

logger = logging.getLogger(__name__)


class WebBeat:
    """One per app; its thread starts with the process, after the fork."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._end = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._beat_on, name="web-beat", daemon=True).start()

    def stop(self) -> None:
        self._end.set()

    def _beat_on(self) -> None:
        while not self._end.is_set():
            try:
                with self._app.app_context():
                    beat()
            except Exception as error:  # The next one may do; the requests go on in any case.
                logger.warning("The web process's beat could not be written: %s", error)
            self._end.wait(BEAT_EVERY.total_seconds())


def beat() -> None:
    """Where another process has just done so, that is enough."""
    moment = now()
    seen_at = db.session.scalar(select(Instance.web_seen_at))
    if seen_at is None or moment - seen_at > BEAT_EVERY / 2:
        with writing() as session:
            note_web(session, moment)

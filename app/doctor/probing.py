"""A look at what may hang, such as a database: whoever asks waits a while, and no longer."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.extensions import OUTAGES

Seen = TypeVar("Seen")
FAILURES = (*OUTAGES, DBAPIError, PoolTimeoutError)
"""What a look may raise where the database can't be used."""


class _Look(Generic[Seen]):
    """One that is under way, or has ended with what it saw or with an error."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.seen: Seen | None = None
        self.error: Exception | None = None


class Probe(Generic[Seen]):
    """Looks in a thread of its own, one at a time: all who ask meanwhile wait for the same one, so
    that a database that hangs holds one connection of a process, however often it is asked."""

    def __init__(self, app: Flask, look: Callable[[], Seen]) -> None:
        self._app = app
        self._look = look
        self._lock = threading.Lock()
        self._under_way: _Look[Seen] | None = None

    def ask(self, seconds: float) -> Seen:
        """What is seen. Raises TimeoutError after so many seconds, and what the look raises."""
        with self._lock:
            look = self._under_way
            if look is None:
                look = self._under_way = _Look()
                name = f"probe-{self._look.__name__}"
                threading.Thread(target=self._run, args=(look,), name=name, daemon=True).start()
        if not look.ended.wait(seconds):
            raise TimeoutError(f"no answer within {seconds:g} s")
        if look.error is not None:
            raise look.error
        return look.seen  # type: ignore[return-value]

    def _run(self, look: _Look[Seen]) -> None:
        try:
            with self._app.app_context():
                look.seen = self._look()
        except Exception as error:
            look.error = error
        finally:
            with self._lock:
                self._under_way = None
            look.ended.set()

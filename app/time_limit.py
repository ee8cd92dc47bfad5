"""Ends waits that take too long, with one timer for all of them."""

import time
from types import TracebackType
from typing import Any, Self

import gevent
from gevent import monkey
from greenlet import greenlet

CHECK_SECONDS = 0.1
"""How far apart the looks at the clock are, and so how late a wait may end."""


class TimeIsUp(BaseException):
    """Raised in a wait that has lasted too long; no `except Exception` catches it."""


class _Deadlines:
    """When each waiting greenlet gives up. A timer of its own for each would cost 10 µs a wait."""

    def __init__(self) -> None:
        self._ends: dict[greenlet, float] = {}
        self._timer: Any = None

    def add(self, waiting: greenlet, seconds: float) -> None:
        self._ends[waiting] = time.monotonic() + seconds
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(CHECK_SECONDS, CHECK_SECONDS)
            self._timer.start(self._check)

    def remove(self, waiting: greenlet) -> None:
        self._ends.pop(waiting, None)

    def _check(self) -> None:
        """Runs in the hub: what it throws arrives at once, not after the wait has ended."""
        now = time.monotonic()
        for waiting in [waiting for waiting, end in self._ends.items() if end <= now]:
            if self._ends.pop(waiting, now + 1) <= now:
                waiting.throw(TimeIsUp())
        if not self._ends and self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None


_DEADLINES = _Deadlines()


class time_limit:
    """Raises TimeIsUp in the block when it waits on after so many seconds; blocks don't nest.

    Only where gevent serves the process: a plain thread can't be interrupted.
    """

    __slots__ = ("_seconds", "_waiting")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: greenlet | None = None

    def __enter__(self) -> Self:
        if monkey.is_module_patched("socket"):
            self._waiting = gevent.getcurrent()
            _DEADLINES.add(self._waiting, self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._waiting is not None:
            _DEADLINES.remove(self._waiting)

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
        self._of_senders: set[greenlet] = set()
        self._timer: Any = None
        self._senders_end: float | None = None

    def add(self, waiting: greenlet, seconds: float, for_sender: bool) -> None:
        end = time.monotonic() + seconds
        if for_sender:
            self._of_senders.add(waiting)
            end = min(end, self._senders_end or end)
        self._ends[waiting] = end
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(CHECK_SECONDS, CHECK_SECONDS)
            self._timer.start(self._check)

    def remove(self, waiting: greenlet) -> None:
        self._ends.pop(waiting, None)
        self._of_senders.discard(waiting)

    def hurry(self, seconds: float) -> None:
        self._senders_end = end = time.monotonic() + seconds
        for waiting in self._of_senders:
            self._ends[waiting] = min(self._ends.get(waiting, end), end)

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


def hurry_senders(seconds: float) -> None:
    """Give senders who have not sent all yet no more than so many seconds; for a stop."""
    _DEADLINES.hurry(seconds)


class time_limit:
    """Raises TimeIsUp in the block when it waits on after so many seconds; blocks don't nest.

    `for_sender`: what is waited for comes from outside, and a stop of the server won't wait so long
    (`hurry_senders`). Only where gevent serves the process: a plain thread can't be interrupted.
    """

    __slots__ = ("_for_sender", "_seconds", "_waiting")

    def __init__(self, seconds: float, *, for_sender: bool = False) -> None:
        self._seconds = seconds
        self._for_sender = for_sender
        self._waiting: greenlet | None = None

    def __enter__(self) -> Self:
        if monkey.is_module_patched("socket"):
            self._waiting = gevent.getcurrent()
            _DEADLINES.add(self._waiting, self._seconds, self._for_sender)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._waiting is not None:
            _DEADLINES.remove(self._waiting)

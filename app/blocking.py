"""Keeps work that blocks a whole thread out of gevent's loop."""

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import gevent
from gevent import monkey
from gevent.hub import Waiter

from app.time_limit import TimeIsUp, time_limit

P = ParamSpec("P")
T = TypeVar("T")


def run_blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a native thread where gevent serves the process, else right here.

    The other requests of the process go on meanwhile. An error of the function is raised here.
    """
    if monkey.is_module_patched("threading"):
        result, error = gevent.get_hub().threadpool.apply(_outcome, (function, args, kwargs))
        if error is not None:
            raise error
        return cast(T, result)
    return function(*args, **kwargs)


def _outcome(
    function: Callable[..., T], args: Any, kwargs: Any
) -> tuple[T | None, BaseException | None]:
    """Result or error; gevent would print the trace of an error that leaves its pool."""
    try:
        return function(*args, **kwargs), None
    except BaseException as error:
        return None, error


class Signal(Protocol):
    """What one waits for and another gives, once."""

    def give(self) -> None: ...
    def wait(self, seconds: float) -> bool:
        """Whether it was given within so many seconds."""


def make_signal() -> Signal:
    """A signal for whatever serves the process."""
    return _GreenSignal() if monkey.is_module_patched("threading") else _ThreadSignal()


class _ThreadSignal:
    def __init__(self) -> None:
        self._event = threading.Event()

    def give(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        return self._event.wait(seconds)


class _GreenSignal:
    """An event for one waiter in the same thread, several times as quick as gevent's own."""

    __slots__ = ("_is_given", "_waiter")

    def __init__(self) -> None:
        self._is_given = False
        self._waiter: Waiter[None] | None = None

    def give(self) -> None:
        self._is_given = True
        if self._waiter is not None:
            gevent.get_hub().loop.run_callback(self._waiter.switch, None)

    def wait(self, seconds: float) -> bool:
        if self._is_given:
            return True
        self._waiter = Waiter()
        try:
            with time_limit(seconds):
                self._waiter.get()
        except TimeIsUp:
            self._waiter = None
        return self._is_given


def let_others_join(at_most_seconds: float) -> None:
    """Where gevent serves the process, wait until its loop has nothing else to do."""
    if monkey.is_module_patched("threading"):
        with gevent.Timeout(at_most_seconds, False):  # type: ignore[arg-type]
            gevent.idle()

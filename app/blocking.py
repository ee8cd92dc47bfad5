"""Keeps work that blocks a whole thread out of gevent's loop."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent
from gevent import monkey

P = ParamSpec("P")
T = TypeVar("T")


def run_blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call in a native thread where gevent serves the process, else right here.

    The other requests of the process go on meanwhile. An error of the function is raised here.
    """
    if monkey.is_module_patched("threading"):
        return gevent.get_hub().threadpool.apply(function, args, kwargs)
    return function(*args, **kwargs)


def let_others_join(at_most_seconds: float) -> None:
    """Where gevent serves the process, wait until its loop has nothing else to do."""
    if monkey.is_module_patched("threading"):
        with gevent.Timeout(at_most_seconds, False):  # type: ignore[arg-type]
            gevent.idle()

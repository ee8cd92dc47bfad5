"""Put on the path of a server under test: its processes read the time from a clock that is off.

Off are app/clock.py, and `time.time`, by which identifiers, sessions and the console's hidden
values go; what is measured (`time.monotonic`) is right. Python imports this module by itself before
any other. The file that FLOWPULSE_TEST_CLOCK names says
by how many seconds; it is read again and again, so that the clock can be set while they run.
"""

import os
import sys
import time
from datetime import datetime, timedelta, tzinfo
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

FILE = os.environ["FLOWPULSE_TEST_CLOCK"]
LOOK_EVERY = 0.05
_own_time = time.time
_known: list[float] = [0.0, float("-inf")]
"""The seconds, and when (monotonic) they were read."""


def ahead() -> float:
    if time.monotonic() - _known[1] > LOOK_EVERY:
        with open(FILE) as file:
            _known[:] = float(file.read() or _known[0]), time.monotonic()
    return _known[0]


class ShiftedDatetime:
    """What app/clock.py has in place of `datetime`, of which it calls no more than this."""

    @staticmethod
    def now(zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(seconds=ahead())


class ClockLoader(Loader):
    """Loads app/clock.py, and has it read the other clock."""

    def __init__(self, own: Loader) -> None:
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        module.datetime = ShiftedDatetime  # type: ignore[attr-defined]


class ClockFinder(MetaPathFinder):
    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != "app.clock":
            return None
        spec = PathFinder.find_spec(name, path)  # type: ignore[arg-type]
        assert spec is not None and spec.loader is not None
        spec.loader = ClockLoader(spec.loader)
        return spec


time.time = lambda: _own_time() + ahead()
sys.meta_path.insert(0, ClockFinder())

"""Time that stands still until a test moves it: what app/clock.py says, everywhere in the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from unittest.mock import patch


class SimulatedTime:
    """`now` is aware, in UTC."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self, zone: tzinfo) -> datetime:
        """As datetime.now(zone), which app/clock.py calls."""
        return self.at.astimezone(zone)

    def forward(self, **parts: float) -> datetime:
        self.at += timedelta(**parts)
        return self.at


@contextmanager
def simulated_time(now: datetime) -> Iterator[SimulatedTime]:
    time = SimulatedTime(now)
    # The database goes by the real time, and is not to be followed meanwhile.
    with patch("app.clock.datetime", time), patch("app.clock.agree"):
        yield time

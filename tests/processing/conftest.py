"""A simulated noon to begin at."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.simulated_time import SimulatedTime, simulated_time

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def time() -> Iterator[SimulatedTime]:
    with simulated_time(NOON) as time:
        yield time

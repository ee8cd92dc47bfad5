"""A team, and the time that its alerts go by."""

import pytest
from flask import Flask

from tests.alerting.stories import Time
from tests.factories import Team, make_team


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)

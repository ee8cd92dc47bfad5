"""What a process remembers of full limits ends when the database has forgotten them."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from app.clock import now
from app.extensions import writing
from app.processing.clock_jumps import call_back
from app.workspaces.rescue import reset_password, reset_two_factor
from app.workspaces.tries import (
    Allowance,
    forget_in,
    of_account,
    of_all_codes,
    of_codes,
    of_codes_of_a_day,
    take,
)
from tests.factories import make_team
from tests.simulated_time import simulated_time

NOON = datetime(2026, 3, 27, 12, tzinfo=UTC)
SLOW = Allowance("slow", 1, 90)


@pytest.mark.once
def test_what_was_forgotten_elsewhere_holds_nobody_up_for_long(app: Flask) -> None:
    """Who goes on trying meanwhile is told the whole wait, and costs the database nothing."""
    with simulated_time(NOON) as time:
        take([SLOW])
        assert take([SLOW]) == 90
        with writing() as session:
            forget_in(session, SLOW)  # As another process does.
        time.forward(seconds=4)
        assert take([SLOW]) == 86
        time.forward(seconds=1)
        assert take([SLOW]) == 0


@pytest.mark.once
def test_a_clock_that_was_set_back_holds_nobody_up(app: Flask) -> None:
    with simulated_time(NOON) as time:
        take([SLOW])
        assert take([SLOW]) == 90
        time.forward(days=-1)
        with writing() as session:
            call_back(session, now())
        assert take([SLOW]) == 0


@pytest.mark.once
@pytest.mark.parametrize("way", ["password", "second factor"])
def test_who_is_let_in_anew_has_all_tries(app: Flask, way: str) -> None:
    team = make_team()
    account = of_account(team.email)
    limits = [account, of_codes(account), of_codes_of_a_day(account), of_all_codes(team.email)]
    with simulated_time(NOON) as time:
        for limit in limits:
            while not take([limit]):
                pass
        if way == "password":
            reset_password(team.email.upper(), "quite another long password")
        else:
            reset_two_factor(team.email.upper())
        time.forward(seconds=5)
        assert [take([limit]) for limit in limits] == [0, 0, 0, 0]

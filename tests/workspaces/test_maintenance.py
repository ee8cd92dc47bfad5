"""Maintenance windows on days on which the clock is set, by the times that were typed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from app.alerting.quiet import window_at
from app.extensions import db
from app.models import MaintenanceWindow, User
from app.workspaces.maintenance import create_window
from app.workspaces.people import RefusedError
from tests.factories import Team, make_team
from tests.simulated_time import simulated_time

FORWARD, BACK = "2026-03-29", "2026-10-25"
"""In Berlin from 02:00 to 03:00, and from 03:00 to 02:00."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text + "Z")


@pytest.fixture
def team(app: Flask) -> Team:
    return make_team()


def create(team: Team, starts: str, ends: str, **more: Any) -> MaintenanceWindow:
    form = {"name": "Backup", "starts": starts, "ends": ends, "zone": "Europe/Berlin", **more}
    person = db.session.scalars(select(User)).one()
    with simulated_time(utc("2026-01-01T00:00")):
        return create_window(team.workspace_id, MultiDict(form), person)


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [("02:30", "03:30", "starts"), ("02:30", "03:15", "starts"), ("01:30", "02:30", "ends")],
)
@pytest.mark.parametrize("more", [{}, {"is_weekly": "1"}], ids=["once", "weekly"])
def test_a_time_that_the_clock_skips_is_refused_at_its_field(
    team: Team, starts: str, ends: str, field: str, more: dict[str, str]
) -> None:
    with pytest.raises(RefusedError) as refused:
        create(team, f"{FORWARD}T{starts}", f"{FORWARD}T{ends}", **more)
    assert refused.value.field == field
    assert str(refused.value) == (
        "02:30 does not exist on 29 Mar 2026 in Europe/Berlin: the clock is set forward then."
    )
    assert db.session.scalars(select(MaintenanceWindow)).all() == []


@pytest.mark.parametrize(
    ("starts", "ends", "begin", "end"),
    [
        (f"{FORWARD}T01:30", f"{FORWARD}T03:00", "2026-03-29T00:30", "2026-03-29T01:00"),
        (f"{FORWARD}T03:00", f"{FORWARD}T03:30", "2026-03-29T01:00", "2026-03-29T01:30"),
        # What comes twice: from the first to the second.
        (f"{BACK}T02:10", f"{BACK}T02:50", "2026-10-25T00:10", "2026-10-25T01:50"),
        (f"{BACK}T02:50", f"{BACK}T02:10", "2026-10-25T00:50", "2026-10-25T01:10"),
        (f"{BACK}T01:00", f"{BACK}T03:00", "2026-10-24T23:00", "2026-10-25T02:00"),
    ],
)
def test_a_window_lasts_from_moment_to_moment(
    team: Team, starts: str, ends: str, begin: str, end: str
) -> None:
    create(team, starts, ends)
    db.session.rollback()
    (kept,) = db.session.scalars(select(MaintenanceWindow)).all()
    assert (kept.starts_at, kept.ends_at) == (utc(begin), utc(end))


@pytest.mark.parametrize(
    ("starts", "ends", "more"),
    [
        (f"{FORWARD}T03:30", f"{FORWARD}T03:30", {}),
        (f"{FORWARD}T03:30", f"{FORWARD}T01:30", {}),
        # It would end before it begins in each week but this.
        (f"{BACK}T02:50", f"{BACK}T02:10", {"is_weekly": "1"}),
    ],
)
def test_an_end_before_the_begin_is_refused(
    team: Team, starts: str, ends: str, more: dict[str, str]
) -> None:
    with pytest.raises(RefusedError, match="The end must lie after the begin"):
        create(team, starts, ends, **more)


def test_seven_days_of_the_wall_are_a_week_in_any_season(team: Team) -> None:
    create(team, "2026-10-24T00:00", "2026-10-31T00:00", is_weekly="1")
    with pytest.raises(RefusedError, match="7 days at most"):
        create(team, "2026-03-28T00:00", "2026-04-04T00:30", is_weekly="1")


def test_the_turns_of_a_weekly_window_keep_the_times_that_were_typed(team: Team) -> None:
    window = create(team, "2026-03-22T02:30", "2026-03-22T03:30", is_weekly="1")
    turns = {
        "2026-03-22T01:45": ("2026-03-22T01:30", "2026-03-22T02:30"),
        "2026-03-29T01:15": ("2026-03-29T01:00", "2026-03-29T01:30"),  # From the change on.
        "2026-04-05T00:45": ("2026-04-05T00:30", "2026-04-05T01:30"),
        "2026-10-25T00:45": ("2026-10-25T00:30", "2026-10-25T02:30"),  # 02:30 comes twice.
        "2026-11-01T01:45": ("2026-11-01T01:30", "2026-11-01T02:30"),
    }
    for moment, (begin, end) in turns.items():
        assert window_at(window, utc(moment)) == (utc(begin), utc(end))
        assert window_at(window, utc(begin) - timedelta(minutes=1)) is None
        assert window_at(window, utc(end)) is None


def test_a_turn_that_the_clock_skips_is_none(team: Team) -> None:
    window = create(team, "2026-03-22T02:10", "2026-03-22T02:50", is_weekly="1")
    for minute in range(180):
        assert window_at(window, utc("2026-03-29T00:00") + timedelta(minutes=minute)) is None
    assert window_at(window, utc("2026-04-05T00:10")) is not None


def test_a_weekly_window_from_the_hour_that_comes_twice_goes_on(team: Team) -> None:
    window = create(team, f"{BACK}T02:10", f"{BACK}T02:50", is_weekly="1")
    assert window_at(window, utc("2026-11-01T01:10")) == (
        utc("2026-11-01T01:10"),
        utc("2026-11-01T01:50"),
    )

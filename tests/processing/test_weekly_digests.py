"""The weekly digest: on Monday at eight by the reader's clock, once a week, with right numbers."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.channels.weekly import latest_monday, week_before, zone_of
from app.extensions import db, writing
from app.models import Delivery, Membership, OutboxMessage, Silence, User, WeeklyDigest
from app.processing import weekly_digests
from app.processing.batch import process_batch
from app.processing.weekly_digests import send_weekly_digests
from app.workspaces import digests
from app.workspaces.digests import want_digest, wants_digest
from app.workspaces.workflows import create_workflow
from tests.factories import Team, make_team, report

At = Callable[[str], int]


@pytest.fixture
def team(app: Flask) -> Team:
    app.config["FLOWPULSE_SMTP_HOST"] = "smtp.example.org"
    return make_team()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """`at("2026-01-12T07:00Z")` looks for what is due at that moment; how many digests it sent."""

    def look(moment: str) -> int:
        for module in (weekly_digests, digests):
            monkeypatch.setattr(module, "now", lambda: datetime.fromisoformat(moment))
        return send_weekly_digests()

    return look


def subscribe(zone: str | None = None, last_monday: date | None = date(2026, 1, 5)) -> Membership:
    membership = db.session.scalars(select(Membership)).one()
    with writing() as session:
        session.scalars(select(User)).one().time_zone = zone
        session.add(WeeklyDigest(membership_id=membership.id, last_monday=last_monday))
    return membership


def message() -> OutboxMessage:
    db.session.rollback()
    return db.session.scalars(select(OutboxMessage).order_by(OutboxMessage.id.desc())).all()[0]


@pytest.mark.parametrize(
    ("zone", "before", "due"),
    [
        (None, "2026-01-12T07:59:59Z", "2026-01-12T08:00:00Z"),
        ("Europe/Berlin", "2026-01-12T06:59:59Z", "2026-01-12T07:00:00Z"),
        ("America/Los_Angeles", "2026-01-12T15:59:59Z", "2026-01-12T16:00:00Z"),
        ("Asia/Kolkata", "2026-01-12T02:29:59Z", "2026-01-12T02:30:00Z"),
        ("Pacific/Kiritimati", "2026-01-11T17:59:59Z", "2026-01-11T18:00:00Z"),
        ("Nowhere/Land", "2026-01-12T07:59:59Z", "2026-01-12T08:00:00Z"),
    ],
)
def test_it_comes_on_monday_at_eight_by_the_readers_clock(
    team: Team, at: At, zone: str | None, before: str, due: str
) -> None:
    subscribe(zone)
    assert [at(before), at(due), at(due)] == [0, 1, 0]
    delivery = db.session.scalars(select(Delivery)).one()
    assert (delivery.recipient, delivery.channel_id) == (team.email, None)


@pytest.mark.parametrize(
    ("mondays", "hours"),
    [(("2026-03-23", "2026-03-30"), (7, 6)), (("2026-10-19", "2026-10-26"), (6, 7))],
)
def test_a_change_of_the_clock_moves_it_and_doubles_nothing(
    team: Team, at: At, mondays: tuple[str, ...], hours: tuple[int, ...]
) -> None:
    """At each hour around the two Mondays, in UTC."""
    subscribe("Europe/Berlin", date.fromisoformat(mondays[0]) - timedelta(days=7))
    sent = [f"{day} {hour}" for day in mondays for hour in range(10) if at(f"{day}T{hour:02}:00Z")]
    assert sent == [f"{day} {hour}" for day, hour in zip(mondays, hours, strict=True)]


def test_a_worker_that_was_down_on_monday_sends_it_later_and_what_is_older_not_at_all(
    team: Team, at: At
) -> None:
    subscribe()
    assert at("2026-02-05T12:00:00Z") == 1
    assert "26 Jan 2026 to 01 Feb 2026" in str(message().facts)
    assert at("2026-02-09T07:00:00Z") == 0


def test_who_moves_to_another_zone_gets_no_week_twice(team: Team, at: At) -> None:
    subscribe("Pacific/Kiritimati")
    assert at("2026-01-11T18:00:00Z") == 1
    with writing() as session:
        session.scalars(select(User)).one().time_zone = "America/Los_Angeles"
    assert at("2026-01-12T16:00:00Z") == 0
    assert at("2026-01-19T16:00:00Z") == 1


def test_without_a_mail_server_it_waits(app: Flask, team: Team, at: At) -> None:
    subscribe()
    app.config["FLOWPULSE_SMTP_HOST"] = ""
    assert at("2026-01-12T09:00:00Z") == 0
    app.config["FLOWPULSE_SMTP_HOST"] = "smtp.example.org"
    assert at("2026-01-13T09:00:00Z") == 1


def test_who_subscribes_gets_the_first_on_the_next_monday(team: Team, at: At) -> None:
    membership = db.session.scalars(select(Membership)).one()
    assert at("2026-01-14T12:00:00Z") == 0
    want_digest(membership, True)
    want_digest(membership, True)
    assert wants_digest(membership)
    assert [at("2026-01-14T13:00:00Z"), at("2026-01-19T08:00:00Z")] == [0, 1]
    want_digest(membership, False)
    assert not wants_digest(membership)
    assert at("2026-01-26T08:00:00Z") == 0


def test_it_counts_the_runs_of_the_week_and_how_long_nothing_came(
    client: FlaskClient, team: Team, at: At
) -> None:
    subscribe()
    quiet = create_workflow(team.workspace_id, "Quiet one")
    ends: list[tuple[str, dict[str, Any]]] = [
        ("success", {"ended_at": "2026-01-04T23:59:59Z"}),
        ("success", {"ended_at": "2026-01-05T00:00:00Z"}),
        ("failure", {"ended_at": "2026-01-11T23:59:59Z"}),
        ("failure", {"ended_at": "2026-01-12T00:00:00Z"}),
    ]
    for kind, fields in ends:
        assert report(client, team, kind, **fields).status_code == 202
    process_batch(10)
    with writing() as session:
        for since, until, down in (
            ("2026-01-04T22:00Z", "2026-01-05T02:00Z", False),
            ("2026-01-11T23:00Z", None, False),
            ("2026-01-07T00:00Z", "2026-01-09T00:00Z", True),
        ):
            session.add(
                Silence(
                    workflow_id=quiet.id,
                    expected_at=datetime.fromisoformat(since),
                    silent_since=datetime.fromisoformat(since),
                    ended_at=datetime.fromisoformat(until) if until else None,
                    missed_count=1,
                    during_downtime=down,
                )
            )
    assert at("2026-01-12T08:00:00Z") == 1
    told = message()
    assert told.title == "Team: 2 runs, 1 failed in the week to 11 Jan"
    assert told.text.splitlines() == [
        f"{team.name}: 2 runs, 1 failed",
        "Quiet one: 0 runs, silent for 3 h",
    ]


def test_workflows_that_came_later_stay_out_of_it(team: Team, at: At) -> None:
    subscribe()
    for name, created in (("Old", "2026-01-11T23:59Z"), ("New", "2026-01-12T00:00Z")):
        workflow = create_workflow(team.workspace_id, name)
        with writing():
            workflow.created_at = datetime.fromisoformat(created)
    assert at("2026-01-12T08:00:00Z") == 1
    assert message().text == "Old: 0 runs"


@pytest.mark.parametrize(
    ("public_url", "host", "link"),
    [
        ("https://pulse.example.org", "127.0.0.1", "https://pulse.example.org/"),
        ("", "127.0.0.1", "http://127.0.0.1:8000/"),
        ("", "0.0.0.0", ""),  # noqa: S104 - Nothing listens here.
    ],
)
def test_it_leads_to_where_alerts_lead(
    app: Flask, team: Team, at: At, public_url: str, host: str, link: str
) -> None:
    app.config.update(FLOWPULSE_PUBLIC_URL=public_url, HOST=host, PORT=8000)
    subscribe()
    at("2026-01-12T08:00:00Z")
    assert message().link == link


def test_other_workspaces_stay_out_of_it(client: FlaskClient, team: Team, at: At) -> None:
    subscribe()
    other = make_team("Secret plans", first=False)
    report(client, other, ended_at="2026-01-06T00:00:00Z")
    process_batch(10)
    at("2026-01-12T08:00:00Z")
    assert "Secret plans" not in message().text and "0 runs" in message().title


@pytest.mark.parametrize(
    ("monday", "hours"), [("2026-03-30", 167), ("2026-10-26", 169), ("2026-01-12", 168)]
)
def test_a_week_with_a_change_of_the_clock_has_its_own_length(monday: str, hours: int) -> None:
    begin, end = week_before(date.fromisoformat(monday), zone_of("Europe/Berlin"))
    assert end - begin == timedelta(hours=hours)
    assert latest_monday(end + timedelta(hours=8), zone_of("Europe/Berlin")).isoformat() == monday

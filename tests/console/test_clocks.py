"""Clocks that differ are told in words, from the time as it was sent."""

from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from app.clock import now
from app.console.clocks import describe
from app.ingest.service import ingest_service
from tests.console.pages import Page, open_page
from tests.factories import Team, report, success

IN_UTC = timedelta()
SAID = {
    timedelta(
        hours=2, seconds=-9
    ): "lies 2 h ahead of this server's clock: probably local time (UTC+2) sent as UTC",
    timedelta(
        hours=5, minutes=31
    ): "lies 5 h 30 min ahead of this server's clock: probably local time (UTC+5:30)",
    timedelta(
        minutes=12
    ): "lies 12 min ahead of this server's clock: probably the sender's clock is wrong",
    timedelta(days=366): "probably a year",
    timedelta(
        hours=-5
    ): "lies 5 h before the request came. If the run had just ended, it is local time west of UTC (UTC-5)",  # noqa: E501
    timedelta(days=-3): "lies 3 d before the request came.",
    timedelta(seconds=20): "agree",
}


@pytest.mark.parametrize("ahead", SAID, ids=str)
def test_the_difference_is_explained(ahead: timedelta) -> None:
    assert SAID[ahead] in describe("ended_at", ahead, IN_UTC)


SENT_AS_UTC = "sent as UTC"
OF_OFFSETS = {
    ("Z", 2): "probably local time (UTC+2) sent as UTC",
    ("+00:00", 2): "probably local time (UTC+2) sent as UTC",
    ("", 2): "probably local time (UTC+2) sent without its offset",
    (
        "+0100",
        2,
    ): "It came with the offset +01:00, so the sender's clock or its time zone is wrong: "
    "with +03:00 the clocks would agree.",
    ("-05:30", 2): "with -03:30 the clocks would agree.",
    ("Z", -5): "it is local time west of UTC (UTC-5)",
    ("", -5): "it is local time west of UTC (UTC-5)",
    ("+0100", -5): "If the run had just ended, the sender's clock or its time zone is wrong: with "
    "-04:00 the clocks would agree.",
}


def sent_at(ahead: timedelta, offset: str) -> str:
    """The time that lies so far ahead of now, with this offset, as many a sender writes it."""
    hours = datetime.strptime(offset.replace("Z", "") or "+0000", "%z").utcoffset()
    return f"{(now() + ahead).astimezone(timezone(hours or IN_UTC)):%Y-%m-%dT%H:%M:%S}{offset}"


def page_of(client: FlaskClient, event_id: str) -> Page:
    ingest_service().recorder.flush()
    return open_page(client, f"/events/{event_id}")


@pytest.mark.parametrize(("offset", "hours"), OF_OFFSETS, ids=str)
def test_only_what_was_sent_as_utc_is_called_so(
    owner: FlaskClient, team: Team, offset: str, hours: int
) -> None:
    sent = sent_at(timedelta(hours=hours), offset)
    answer = report(owner, team, ended_at=sent)
    assert answer.status_code == 202
    page = page_of(owner, answer.json["event_id"])
    said = OF_OFFSETS[offset, hours]
    if hours > 0 or not offset:
        assert f"as sent {sent}" in page.text
        assert said in page.text
    assert (SENT_AS_UTC in page.text) == (SENT_AS_UTC in said)
    assert said in describe("ended_at", timedelta(hours=hours), _offset(offset))


def _offset(text: str) -> timedelta | None:
    return datetime.strptime(text, "%z").utcoffset() if text else None


def test_a_refused_time_is_shown_as_it_was_sent(owner: FlaskClient, team: Team) -> None:
    sent = sent_at(timedelta(days=2, hours=2), "+0100")
    answer = report(owner, team, ended_at=sent)
    assert answer.json["errors"][0]["received"] == sent
    page = page_of(owner, answer.json["event_id"])
    assert f"came as {sent}" in page.text and f"as sent {sent}" in page.text


def test_a_start_after_the_end_has_both_times_beside_the_clock(
    owner: FlaskClient, team: Team
) -> None:
    start, end = sent_at(timedelta(hours=2), "Z"), sent_at(timedelta(), "+0200")
    answer = report(owner, team, started_at=start, ended_at=end)
    assert answer.json["errors"][0]["received"] == start
    page = page_of(owner, answer.json["event_id"])
    assert f"started_at, as sent {start}" in page.text and f"ended_at, as sent {end}" in page.text
    assert "probably local time (UTC+2) sent as UTC" in page.text


def test_a_time_a_little_ahead_is_shown_with_its_offset_too(owner: FlaskClient, team: Team) -> None:
    """Too little for a warning: only the body tells how it was sent."""
    sent = sent_at(timedelta(minutes=3), "+0530")
    page = page_of(owner, report(owner, team, ended_at=sent).json["event_id"])
    assert f"as sent {sent}" in page.text


def test_a_time_in_a_form_is_shown_as_it_was_meant(owner: FlaskClient, team: Team) -> None:
    sent = sent_at(timedelta(minutes=3), "+0100")
    answer = owner.post(
        "/api/v1/ingest/run-success",
        data=urlencode(success(team, ended_at=sent)),
        headers={**team.headers, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert f"as sent {sent}" in page_of(owner, answer.json["event_id"]).text


@pytest.mark.parametrize(
    ("form", "said", "is_guess"),
    [
        ("%d.%m.%Y %H:%M:%S", "probably local time (UTC+2)", True),
        ("%a, %d %b %Y %H:%M:%S +0100", "with +03:00 the clocks would agree", False),
        ("%a %b %d %Y %H:%M:%S GMT+0100 (CET)", "with +03:00 the clocks would agree", False),
        ("%a, %d %b %Y %H:%M:%S GMT", "probably local time (UTC+2) sent as UTC", False),
    ],
)
def test_a_time_in_another_form_keeps_its_offset(
    owner: FlaskClient, team: Team, form: str, said: str, is_guess: bool
) -> None:
    zone = timezone(timedelta(hours=1 if "+0100" in form else 0))
    sent = (now() + timedelta(hours=2)).astimezone(zone).strftime(form)
    answer = report(owner, team, ended_at=sent)
    assert answer.status_code == 400
    page = page_of(owner, answer.json["event_id"])
    assert said in page.text
    assert ("If it is UTC" in page.text) == is_guess

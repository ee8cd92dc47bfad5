"""The notice that a channel was switched off goes every other way that works, once."""

from datetime import timedelta

import pytest
from flask import Flask

from app.channels.switching import SWITCH_OFF_AFTER
from app.extensions import db, writing
from app.models import Channel, Delivery, OutboxMessage
from tests.channels.conftest import Clock, fail, make_channel
from tests.channels.deliveries import deliver, post_to
from tests.channels.receivers import MailBox, Receiver, Reply
from tests.factories import Team, make_team

TITLE = "The channel “Ops” was switched off"


@pytest.fixture
def failing(team: Team, receiver: Receiver, clock: Clock) -> Channel:
    """A channel whose next failure switches it off."""
    receiver.reply = lambda request: Reply(404 if request.path == "/gone" else 200)
    channel = make_channel(team, url=f"{receiver.url}/gone")
    began = clock.moment
    for days in range(SWITCH_OFF_AFTER.days):
        fail(channel, clock, began + timedelta(days=days))
    clock.go(days=1)
    receiver.received.clear()
    return channel


def switch_off(channel: Channel, clock: Clock) -> None:
    post_to(channel, at=clock.moment)
    clock.go(minutes=1)
    while deliver():
        clock.go(minutes=1)


def notices() -> list[OutboxMessage]:
    db.session.rollback()
    return list(db.session.query(OutboxMessage).filter_by(kind="notice"))


def ways() -> set[str]:
    db.session.rollback()
    notice = db.session.query(OutboxMessage.id).filter_by(kind="notice")
    found = db.session.query(Delivery).filter(Delivery.message_id.in_(notice))
    return {each.channel.name if each.channel else str(each.recipient) for each in found}


def test_without_mail_the_other_healthy_channels_tell_of_it_once(
    team: Team, failing: Channel, receiver: Receiver, clock: Clock
) -> None:
    for name in ("Chat", "Log"):
        make_channel(team, name=name, url=f"{receiver.url}/{name}")
    sick, off = (make_channel(team, name=name, url=receiver.url) for name in ("Sick", "Off"))
    make_channel(make_team(first=False), name="Another team's", url=receiver.url)
    with writing():
        sick.failing_since, off.disabled_at = clock.moment - timedelta(hours=1), clock.moment
    switch_off(failing, clock)
    assert failing.disabled_at is not None
    told = [each for each in receiver.received if each.path != "/gone"]
    assert sorted(each.path for each in told) == ["/Chat", "/Log"]
    assert len({each.headers["webhook-id"] for each in told}) == 1
    for each in told:
        assert (each.json["type"], each.json["data"]["title"]) == ("notice", TITLE)
        facts = {fact["name"]: fact["value"] for fact in each.json["data"]["facts"]}
        assert "404" in facts["Last error"]
    assert len(notices()) == 1
    switch_off(failing, clock)
    assert len(notices()) == 1


def test_the_notice_leads_to_the_channel(
    app: Flask, team: Team, failing: Channel, receiver: Receiver, clock: Clock
) -> None:
    app.config["FLOWPULSE_PUBLIC_URL"] = "https://pulse.example.org"
    make_channel(team, name="Chat", url=f"{receiver.url}/Chat")
    switch_off(failing, clock)
    (notice,) = notices()
    assert notice.link == f"https://pulse.example.org/alerts/channels/{failing.public_id}"


def test_with_mail_it_goes_both_ways_as_one_message(
    app: Flask, team: Team, failing: Channel, receiver: Receiver, mail_box: MailBox, clock: Clock
) -> None:
    app.config.update(mail_box.settings)
    make_channel(team, name="Chat", url=f"{receiver.url}/Chat")
    switch_off(failing, clock)
    assert len(notices()) == 1 and ways() == {"Chat", team.email}
    (mail,) = mail_box.mails
    assert (mail["To"], mail["Subject"]) == (team.email, TITLE)


@pytest.mark.parametrize(("others", "expected"), [(["webhook"], "webhook"), ([], "pagerduty")])
def test_nobody_is_woken_for_it_where_there_is_another_way(
    team: Team, failing: Channel, receiver: Receiver, clock: Clock, others: list[str], expected: str
) -> None:
    """A channel with incidents opens one that nothing ends: better than to tell nobody."""
    for kind in ("pagerduty", *others):
        make_channel(team, kind, name=kind, url=receiver.url)
    post_to(failing, at=clock.moment)
    deliver(places_for_failing=8)
    assert ways() == {expected}
    (notice,) = notices()
    assert notice.incident == ""


def test_where_there_is_no_other_way_there_is_no_message(
    team: Team, failing: Channel, clock: Clock
) -> None:
    switch_off(failing, clock)
    assert failing.disabled_at is not None and notices() == []


@pytest.mark.parametrize("began", [None, timedelta(hours=-1)])
def test_a_test_that_fails_leaves_the_channel_as_it_was(
    team: Team, receiver: Receiver, clock: Clock, began: timedelta | None
) -> None:
    receiver.reply = lambda _: Reply(400, b"no such channel")
    channel = make_channel(team, url=receiver.url)
    since = began and clock.moment + began
    with writing():
        channel.failing_since = since
    post_to(channel, kind="test")
    deliver()
    assert channel.failing_since == since
    receiver.reply = lambda _: Reply()
    post_to(channel, kind="test")
    deliver()
    assert (channel.failing_since, channel.last_ok_at) == (None, clock.moment)

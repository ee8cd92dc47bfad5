"""Each message arrives, or its tries and their end can be read."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.channels import courier
from app.channels.claims import LEASE, claim
from app.channels.courier import Courier, claim_due, prepare, record_one
from app.channels.outbox import put, put_mail
from app.channels.records import RETRY_DELAYS
from app.channels.sealing import seal
from app.channels.switching import SWITCH_OFF_AFTER, switch_on
from app.clock import now
from app.extensions import db, writing
from app.models import Channel, Delivery, DeliveryAttempt, OutboxMessage
from tests.channels.conftest import Clock, fail, make_channel
from tests.channels.deliveries import deliver, deliveries_of, make_message, post_to
from tests.channels.receivers import MailBox, Receiver, Reply
from tests.factories import Team, make_team
from tests.server import wait_for


def test_a_message_reaches_each_of_its_channels_once(team: Team, receiver: Receiver) -> None:
    channels = [make_channel(team, name=name, url=f"{receiver.url}/{name}") for name in "ab"]
    message = post_to(*channels)
    assert deliver() == 2
    assert deliver() == 0
    assert sorted(each.path for each in receiver.received) == ["/a", "/b"]
    assert {each.headers["webhook-id"] for each in receiver.received} == {message.id}
    for channel in channels:
        (delivery,) = deliveries_of(channel)
        assert (delivery.state, delivery.attempts) == ("delivered", 1)
        assert delivery.lease_until is None and delivery.next_try_at is None
        (tried,) = delivery.tries
        assert (tried.status, tried.answer, tried.error) == (200, "ok", None)
        assert channel.last_ok_at is not None and channel.failing_since is None


def test_what_is_rolled_back_is_never_sent(team: Team, receiver: Receiver) -> None:
    channel = make_channel(team, url=receiver.url)
    with pytest.raises(RuntimeError), writing() as session:
        put(session.connection(), make_message(), team.workspace_id, [channel.id], now())
        raise RuntimeError
    assert deliver() == 0 and receiver.received == []


def test_a_stable_id_is_there_once(team: Team, receiver: Receiver) -> None:
    channel = make_channel(team, url=receiver.url)
    post_to(channel, id="same")
    with pytest.raises(IntegrityError):
        post_to(channel, id="same")
    assert deliver() == 1


def test_channels_of_others_gone_and_switched_off_get_nothing(team: Team) -> None:
    other = make_channel(make_team("Other", first=False), url="http://127.0.0.1:1")
    off = make_channel(team, url="http://127.0.0.1:1")
    with writing():
        off.disabled_at = now()
    with writing() as session:
        put(session.connection(), make_message(), team.workspace_id, [other.id, off.id, 99], now())
    assert db.session.scalar(select(func.count(OutboxMessage.id))) == 1
    assert db.session.scalar(select(func.count(Delivery.id))) == 0


def test_a_failure_is_tried_again_with_growing_delays_for_a_day(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = lambda _: Reply(500, b"out of order")
    channel = make_channel(team, url=receiver.url)
    message, began = post_to(channel), clock.moment
    pauses = []
    while deliver():
        (delivery,) = deliveries_of(channel)
        if delivery.next_try_at is not None:
            pauses.append(delivery.next_try_at - clock.moment)
            clock.moment = delivery.next_try_at
    assert (delivery.state, delivery.attempts) == ("given_up", len(RETRY_DELAYS) + 1)
    assert timedelta(hours=21) < clock.moment - began < timedelta(hours=26.5)
    assert all(later > 1.2 * earlier for earlier, later in pairwise(pauses[:-1]))
    assert all(abs(a / b - 1) <= 0.1001 for a, b in zip(pauses, RETRY_DELAYS, strict=True))
    assert {each.headers["webhook-id"] for each in receiver.received} == {message.id}
    assert {(each.status, each.answer) for each in delivery.tries} == {(500, "out of order")}
    assert channel.failing_since == began


def test_a_channel_is_good_again_with_the_first_message_that_arrives(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = lambda _: Reply(503)
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    deliver()
    assert channel.failing_since == clock.moment
    receiver.reply = lambda _: Reply(204, b"")
    clock.go(minutes=1)
    assert deliver() == 1
    assert (channel.failing_since, channel.last_ok_at) == (None, clock.moment)
    assert deliveries_of(channel)[0].attempts == 2


def test_of_one_alert_nothing_overtakes_what_waits_for_another_try(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = lambda _: Reply(503)
    channel = make_channel(team, url=receiver.url)
    opened = post_to(channel, incident="one")
    assert deliver() == 1
    receiver.reply = lambda _: Reply(204, b"")
    recovered = post_to(channel, incident="one", kind="recovery")
    another = post_to(channel, incident="two")
    assert deliver() == 1
    clock.go(minutes=1)
    assert deliver() == 2
    ids = [each.headers["webhook-id"] for each in receiver.received]
    assert ids == [opened.id, another.id, opened.id, recovered.id]


def test_a_test_is_tried_once(team: Team, receiver: Receiver, clock: Clock) -> None:
    receiver.reply = lambda _: Reply(400, b"no such channel")
    channel = make_channel(team, url=receiver.url)
    post_to(channel, kind="test")
    deliver()
    assert deliveries_of(channel)[0].state == "given_up"


def test_after_five_days_of_failures_a_channel_is_switched_off_with_notice(
    app: Flask, team: Team, receiver: Receiver, mail_box: MailBox, clock: Clock
) -> None:
    app.config.update(mail_box.settings)
    receiver.reply = lambda _: Reply(404, b"gone")
    channel = make_channel(team, url=receiver.url)
    began = clock.moment
    for hours in (0, 48, 96, 119.9):
        fail(channel, clock, began + timedelta(hours=hours))
        assert channel.disabled_at is None
    fail(channel, clock, began + SWITCH_OFF_AFTER)
    assert channel.disabled_at == clock.moment
    assert "answered 404" in str(channel.disabled_why)
    assert {each.state for each in deliveries_of(channel)} <= {"failed", "given_up"}
    (mail,) = mail_box.mails
    assert mail["To"] == team.email
    assert mail["Subject"] == "The channel “Ops” was switched off"
    assert "answered 404" in mail.get_content()
    with writing():
        switch_on(channel)
    receiver.reply = lambda _: Reply()
    post_to(channel, at=clock.moment)
    assert deliver() == 1 and channel.last_ok_at == clock.moment


def test_a_test_that_fails_does_not_begin_the_five_days(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = lambda _: Reply(404)
    channel = make_channel(team, url=receiver.url)
    began = clock.moment
    fail(channel, clock, began, kind="test")
    for hours in (24, 72, 120, 120 + 23.9):
        fail(channel, clock, began + timedelta(hours=hours))
        assert channel.disabled_at is None
    fail(channel, clock, began + timedelta(hours=144), kind="test")
    assert channel.disabled_at is None
    fail(channel, clock, began + timedelta(hours=144))
    assert channel.disabled_at == clock.moment


@pytest.mark.parametrize(("pause", "is_off"), [(48, True), (48.1, False)])
def test_after_a_longer_pause_without_tries_the_five_days_begin_anew(
    team: Team, receiver: Receiver, clock: Clock, pause: float, is_off: bool
) -> None:
    receiver.reply = lambda _: Reply(404)
    channel = make_channel(team, url=receiver.url)
    began = clock.moment
    for hours in (0, 40, 40 + pause, 119):
        fail(channel, clock, began + timedelta(hours=hours))
    fail(channel, clock, began + timedelta(hours=60), kind="test")  # It counts for nothing.
    fail(channel, clock, began + timedelta(hours=121))
    assert (channel.disabled_at is not None) == is_off
    assert channel.failing_since == began
    if not is_off:
        for hours in (160, 200, 40 + pause + 119.9):
            fail(channel, clock, began + timedelta(hours=hours))
            assert channel.disabled_at is None
        fail(channel, clock, began + timedelta(hours=40 + pause + 120))
        assert channel.disabled_at == clock.moment


def test_one_failure_after_a_quiet_week_switches_nothing_off(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    receiver.reply = lambda _: Reply(404)
    channel = make_channel(team, url=receiver.url)
    for days in (0, 7):
        fail(channel, clock, clock.moment + timedelta(days=days))
        assert channel.disabled_at is None


def test_one_delivery_of_a_channel_is_on_its_way_at_a_time(team: Team, clock: Clock) -> None:
    first, second = (make_channel(team, name=name, url="http://127.0.0.1:1") for name in "ab")
    for _ in range(3):
        post_to(first)
    post_to(second)
    assert {each.channel_id for each in claim_due(16, 8)} == {first.id, second.id}
    assert claim_due(16, 8) == []
    with writing() as session:
        assert claim(session, clock.moment, 16, 8) == []


def test_what_a_killed_worker_had_claimed_is_sent_by_another_after_its_lease(
    team: Team, receiver: Receiver, clock: Clock
) -> None:
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    assert len(claim_due(16, 8)) == 1  # And then kill -9.
    clock.moment += LEASE - timedelta(seconds=1)
    assert deliver() == 0
    clock.go(seconds=1)
    assert deliver() == 1


def test_failing_channels_leave_places_for_the_others(team: Team, clock: Clock) -> None:
    channels = [make_channel(team, name=str(n), url="http://127.0.0.1:1") for n in range(12)]
    for channel in channels:
        post_to(channel)
    with writing():
        for channel in channels[:10]:
            channel.failing_since = clock.moment
    claimed = claim_due(8, 4)
    assert sum(each.is_failing for each in claimed) == 4
    assert {channels[10].id, channels[11].id} <= {each.channel_id for each in claimed}


def test_a_channel_deleted_while_it_is_sent_to_harms_nothing(
    team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    (claimed,) = claim_due(16, 8)
    outcome = prepare(claimed)()
    with writing() as session:
        session.delete(db.session.get(Channel, channel.id))
    record_one(outcome)
    assert db.session.scalar(select(func.count(DeliveryAttempt.id))) == 0


def test_settings_that_can_not_be_opened_are_a_failure_like_any_other(
    app: Flask, team: Team, clock: Clock
) -> None:
    channel = make_channel(team, url="http://127.0.0.1:1")
    with writing():
        app.config["FLOWPULSE_KEY_SECRET"] = b"another secret key, quite long enough"
        channel.sealed_settings = seal({"url": "http://127.0.0.1:1"})
        app.config["FLOWPULSE_KEY_SECRET"] = b"the first"
    post_to(channel)
    deliver()
    (delivery,) = deliveries_of(channel)
    assert "another secret key" in str(delivery.tries[0].error)
    assert delivery.state == "waiting"


def test_a_bug_in_one_kind_holds_up_nobody(
    team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = (make_channel(team, name=name, url=receiver.url) for name in ("good", "bad"))
    with writing():
        bad.kind = "no such kind"
    post_to(bad, good)
    deliver()
    assert deliveries_of(good)[0].state == "delivered"
    assert "no such kind" in str(deliveries_of(bad)[0].tries[0].error)


def test_mail_without_a_channel_goes_to_each_address(
    app: Flask, team: Team, mail_box: MailBox
) -> None:
    app.config.update(mail_box.settings)
    with writing() as session:
        addresses = ["ana@example.org", "bo@example.org"]
        put_mail(session.connection(), make_message(), team.workspace_id, addresses, now())
    assert deliver() == 2
    assert [each.rcpt_tos for each in mail_box.envelopes] == [[each] for each in addresses]


def test_a_slow_channel_holds_up_no_other_and_what_is_on_its_way_is_recorded_at_the_end(
    app: Flask, team: Team, receiver: Receiver
) -> None:
    go_on = threading.Event()
    receiver.reply = lambda request: Reply(
        200 if request.path == "/quick" or go_on.wait(20) else 500
    )
    slow = make_channel(team, name="slow", url=f"{receiver.url}/slow")
    quick = make_channel(team, name="quick", url=f"{receiver.url}/quick")
    post_to(slow)
    for _ in range(3):
        post_to(quick)
    worker = Courier()
    worker.start(app)
    wait_for(lambda: [each.state for each in deliveries_of(quick)] == ["delivered"] * 3, 10)
    assert deliveries_of(slow)[0].state == "waiting"
    threading.Timer(0.2, go_on.set).start()
    worker.stop()
    assert deliveries_of(slow)[0].state == "delivered"


def test_the_lease_of_what_takes_long_is_renewed(
    app: Flask, team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "RENEW_EVERY", timedelta(0))
    go_on = threading.Event()
    receiver.reply = lambda _: Reply(200 if go_on.wait(20) else 500)
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    worker = Courier()
    worker.start(app)
    first = wait_for(lambda: deliveries_of(channel)[0].lease_until, 10)
    wait_for(lambda: deliveries_of(channel)[0].lease_until > first, 10)
    go_on.set()
    worker.stop()
    assert len(receiver.received) == 1


def test_a_database_that_is_away_for_a_moment_loses_no_outcome(
    app: Flask, team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = iter([True, True])
    real: Callable[..., None] = courier.record_one

    def record_later(*arguments: object) -> None:
        if next(away, False):
            raise courier.OperationalError("", {}, Exception("away"))
        real(*arguments)

    monkeypatch.setattr(courier, "record_one", record_later)
    monkeypatch.setattr(courier, "OUTAGE_SECONDS", 0.01)
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    worker = Courier()
    worker.start(app)
    wait_for(lambda: deliveries_of(channel)[0].state == "delivered", 10)
    worker.stop()
    assert len(receiver.received) == 1


def test_workers_that_claim_at_once_never_get_the_same_nor_two_of_a_channel(
    app: Flask, team: Team
) -> None:
    channels = [make_channel(team, name=str(n), url="http://127.0.0.1:1") for n in range(12)]
    for channel in channels * 2:
        post_to(channel)
    start = threading.Barrier(4)
    claimed: list[tuple[int, int | None]] = []

    def work() -> None:
        with app.app_context():
            start.wait(10)
            for _ in range(3):
                claims = claim_due(4, 4)
                claimed.extend((each.delivery_id, each.channel_id) for each in claims)
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({delivery for delivery, _ in claimed}) == len(claimed)
    assert sorted(channel or 0 for _, channel in claimed) == sorted(each.id for each in channels)

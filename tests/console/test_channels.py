"""Channels in the browser: added, tried out, changed, read and deleted; secrets never shown."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.channels.kinds import KINDS
from app.channels.sealing import unseal
from app.clock import now
from app.extensions import db, writing
from app.models import Channel, Delivery
from tests.channels.conftest import make_channel
from tests.channels.deliveries import deliver, post_to
from tests.channels.receivers import Receiver, Reply
from tests.console.channel_pages import LIST, address, only_channel
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team, make_team, report


def test_an_empty_list_teaches_and_offers_each_kind(owner: FlaskClient) -> None:
    page = open_page(owner, LIST)
    assert "Nobody hears of a failure yet" in page.text
    for name, kind in KINDS.items():
        assert f"{LIST}/new/{name}" in page.links and kind.LABEL in page.text


@pytest.mark.parametrize("kind", KINDS)
def test_each_form_names_all_its_mistakes_at_once(owner: FlaskClient, kind: str) -> None:
    page = open_page(owner, f"{LIST}/new/{kind}")
    assert KINDS[kind].HELP.split("→")[0] in page.text
    answer = owner.post(f"{LIST}/new/{kind}", data=page.form("").fields)
    assert answer.status_code == 422
    needed = [name for name, field in KINDS[kind].Config().fields.items() if field.required]
    for name in ("name", *needed):
        assert Page(answer.text).has_id(f"field-{name}-error"), name
    assert db.session.scalars(select(Channel)).all() == []


def test_what_was_typed_stays_beside_a_mistake_and_secrets_do_not(owner: FlaskClient) -> None:
    path = f"{LIST}/new/ntfy"
    fields = open_page(owner, path).form("").fields
    typed = {"name": "Phone", "server": "https://ntfy.example.org"}
    secret = {"topic": "no secret-part", "token": "tk_secret-part"}
    answer = owner.post(path, data={**fields, **typed, **secret})
    kept = Page(answer.text).form("").fields
    assert {name: kept[name] for name in typed} == typed and "secret-part" not in answer.text


def test_an_unknown_kind_is_not_there(owner: FlaskClient) -> None:
    assert owner.get(f"{LIST}/new/carrier-pigeon").status_code == 404


def test_a_name_is_given_once(owner: FlaskClient, team: Team, receiver: Receiver) -> None:
    make_channel(team, name="Ops", url=receiver.url)
    fields = open_page(owner, f"{LIST}/new/webhook").form("").fields
    answer = owner.post(f"{LIST}/new/webhook", data={**fields, "name": "Ops", "url": receiver.url})
    assert answer.status_code == 422
    assert "Another channel has the name Ops" in Page(answer.text).text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, b"thank <b>you</b>"), ("The test was delivered", "thank <b>you</b>")),
        (Reply(401, b"who are you"), ("was not delivered", "answered 401", "who are you")),
    ],
)
def test_a_test_shows_what_the_other_side_answers(
    owner: FlaskClient, team: Team, receiver: Receiver, reply: Reply, words: tuple[str, ...]
) -> None:
    receiver.reply = lambda _: reply
    channel = make_channel(team, url=receiver.url)
    path = send_form(owner, address(channel), f"{address(channel)}/test").location
    waiting = owner.get(path).text
    assert "on its way" in waiting and "every 1s" in waiting
    deliver()
    done = owner.get(path).text
    assert "every 1s" not in done
    part = owner.get(path.replace("?", "/test?")).text
    swapped = {"test", "channel-state", "channel-notice", "log", "channel-since"}
    for each in swapped:
        assert Page(done).has_id(each) and Page(part).has_id(each), each
        assert f"#{each}" in waiting
    assert "Not used yet" in waiting
    assert ("Works" if reply.status == 200 else "Not used yet") in Page(part).text
    for each in words:
        assert each in Page(done).text and each in Page(part).text
    assert receiver.received[0].json["type"] == "test"


def test_a_delivery_shows_each_try_and_is_tried_again_on_demand(
    owner: FlaskClient, team: Team, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(500, b"first answer")
    channel = make_channel(team, url=receiver.url)
    post_to(channel, title="Invoice sync failed")
    deliver()
    page = open_page(owner, address(channel))
    assert "Invoice sync failed" in page.text and "Failing" in page.text
    (path,) = {each for each in page.links if each.startswith("/alerts/deliveries/")}
    failed = open_page(owner, path)
    assert "first answer" in failed.text and "just now ·" in failed.text
    assert not [each for _, each in failed.tags if "data-clock" in each]
    assert "/troubleshooting#delivery_server_error" in failed.links
    receiver.reply = lambda _: Reply(200, b"second answer")
    assert deliver() == 0
    assert send_form(owner, path, f"{path}/again").status_code == 303
    assert deliver() == 1
    page = open_page(owner, path)
    assert "first answer" in page.text and "second answer" in page.text
    assert f"{path}/again" not in [form.action for form in page.forms]
    ids = {each.headers["webhook-id"] for each in receiver.received}
    assert len(receiver.received) == 2 and len(ids) == 1


def test_what_is_under_way_or_delivered_is_not_sent_again(
    owner: FlaskClient, team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    delivery = db.session.scalars(select(Delivery)).one()
    path = f"/alerts/deliveries/{delivery.public_id}"
    token = open_page(owner, path).form("/sign-out").fields
    deliver()
    owner.post(f"{path}/again", data=token)
    assert deliver() == 0


def test_a_channel_that_was_switched_off_says_why_and_can_be_switched_on(
    owner: FlaskClient, team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, url=receiver.url)
    with writing():
        channel.disabled_at, channel.disabled_why = now(), "127.0.0.1 answered 410."
    page = open_page(owner, address(channel))
    assert "Switched off" in page.text and "answered 410" in page.text
    assert "/troubleshooting#delivery_channel_off" in page.links
    assert f"{address(channel)}/test" not in [form.action for form in page.forms]
    token = page.form("/sign-out").fields
    owner.post(f"{address(channel)}/test", data=token)
    assert deliver() == 0
    assert send_form(owner, address(channel), f"{address(channel)}/on").status_code == 303
    assert only_channel().disabled_at is None


def test_deleting_asks_first_by_name_and_takes_the_log_along(
    owner: FlaskClient, team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, name="Old chat", url=receiver.url)
    post_to(channel)
    page = open_page(owner, address(channel))
    titles = [title for title, *_ in page.questions]
    assert "Delete Old chat?" in titles
    assert send_form(owner, address(channel), f"{address(channel)}/delete").location == LIST
    assert db.session.scalars(select(Delivery)).all() == []
    assert "Old chat" not in owner.get(LIST).text.replace("“Old chat”", "")


def test_a_viewer_sees_names_only(
    colleague: Callable[[str], FlaskClient], team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, "email", name="Mail", recipients="boss@example.org")
    viewer = colleague("viewer")
    page = open_page(viewer, LIST)
    assert "Mail" in page.text and "boss@example.org" not in page.text
    assert [form.action for form in page.forms if form.method == "post"] == ["/sign-out"]
    assert not [each for each in page.links if each.startswith(f"{LIST}/")]
    for path in (address(channel), f"{LIST}/new/email"):
        assert viewer.get(path).status_code == 403


def test_channels_of_another_workspace_are_not_there(
    owner: FlaskClient, receiver: Receiver
) -> None:
    other = make_channel(make_team("Other", first=False), name="Theirs", url=receiver.url)
    post_to(other)
    delivery = db.session.scalars(select(Delivery)).one()
    token = open_page(owner, LIST).form("/sign-out").fields
    assert "Theirs" not in open_page(owner, LIST).text
    for path in (address(other), f"/alerts/deliveries/{delivery.public_id}"):
        assert owner.get(path).status_code == 404
    for path in ("", "/test", "/on", "/secret", "/delete"):
        assert owner.post(address(other) + path, data=token).status_code == 404
    again = f"/alerts/deliveries/{delivery.public_id}/again"
    assert owner.post(again, data=token).status_code == 404


def test_settings_that_can_not_be_opened_are_entered_again(
    owner: FlaskClient, team: Team, receiver: Receiver
) -> None:
    channel = make_channel(team, "slack", url=receiver.url)
    with writing():
        channel.sealed_settings = "gAAAAnonsense"
    assert "can't be opened any more" in open_page(owner, address(channel)).text
    assert "can't be read" in open_page(owner, LIST).text
    assert send_form(owner, address(channel), url=receiver.url).status_code == 303
    assert unseal(only_channel().sealed_settings) == {"url": receiver.url}


@pytest.mark.parametrize(
    ("column", "words"),
    [("failing_since", "Messages do not arrive"), ("disabled_at", "Switched off, after nothing")],
)
def test_the_overview_names_a_channel_that_nothing_reaches(
    owner: FlaskClient, team: Team, receiver: Receiver, column: str, words: str
) -> None:
    report(owner, team)
    channel = make_channel(team, name="Ops chat", url=receiver.url)
    assert "Ops chat" not in open_page(owner, "/").text
    with writing():
        setattr(channel, column, now())
    page = open_page(owner, "/")
    assert "Channel Ops chat" in page.text and words in page.text and LIST in page.links

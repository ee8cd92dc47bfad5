"""Secrets of channels in the console: shown once or never, kept, changed and removed."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app.channels.kinds import KINDS
from app.channels.sealing import unseal
from app.extensions import db
from app.models import Delivery
from tests.channels.conftest import make_channel
from tests.channels.deliveries import deliver
from tests.channels.receivers import Receiver, Reply
from tests.console.channel_pages import LIST, add, address, only_channel
from tests.console.pages import Page, open_page, send_form
from tests.factories import Team


def test_a_webhook_shows_its_secret_once_and_signs_with_it(
    owner: FlaskClient, receiver: Receiver
) -> None:
    shown = add(owner, "webhook", name="Hook", url=receiver.url)
    channel = only_channel()
    secret = unseal(channel.sealed_settings)["secret"]
    assert secret.startswith("whsec_") and secret in Page(shown).text
    assert secret not in owner.get(address(channel)).text
    answer = send_form(owner, address(channel), f"{address(channel)}/secret")
    renewed = unseal(only_channel().sealed_settings)["secret"]
    assert renewed != secret and renewed in answer.text and secret not in answer.text


@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_secrets_are_sealed_and_never_shown_again(
    owner: FlaskClient, receiver: Receiver, kind: str
) -> None:
    url = f"{receiver.url}/services/T0/B0/very-secret-part"
    add(owner, kind, name="Chat", url=url)
    channel = only_channel()
    with db.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM channels")).all()
    assert "very-secret-part" not in str(rows)
    receiver.reply = lambda request: Reply(404, f"no {request.path} at {url}".encode())
    location = send_form(owner, address(channel), f"{address(channel)}/test").location
    deliver()
    delivery = db.session.scalars(select(Delivery)).one()
    for path in (LIST, address(channel), location, f"/alerts/deliveries/{delivery.public_id}"):
        html = owner.get(path).text
        assert "very-secret-part" not in html and "Chat" in html, path
    assert "Saved. Leave empty to keep it." in owner.get(address(channel)).text
    assert "very-secret-part" not in str(delivery.tries[0].answer)
    assert send_form(owner, address(channel), name="Renamed").status_code == 303
    assert unseal(only_channel().sealed_settings)["url"] == url


def test_a_changed_secret_replaces_the_saved_one(owner: FlaskClient, receiver: Receiver) -> None:
    add(owner, "slack", name="Chat", url=f"{receiver.url}/old")
    channel = only_channel()
    assert send_form(owner, address(channel), url=f"{receiver.url}/new").status_code == 303
    assert unseal(only_channel().sealed_settings)["url"].endswith("/new")
    answer = send_form(owner, address(channel), url="nonsense", name="")
    assert answer.status_code == 422
    page = Page(answer.text)
    assert page.has_id("field-url-error") and page.has_id("field-name-error")


def test_a_saved_token_goes_to_no_other_server(owner: FlaskClient, receiver: Receiver) -> None:
    add(owner, "ntfy", name="Phone", topic="ops", token="tk_one", server=receiver.url)
    channel = only_channel()
    assert send_form(owner, address(channel), topic="ops2").status_code == 303
    assert unseal(only_channel().sealed_settings)["token"] == "tk_one"
    other = {"server": "https://other.example.org"}
    assert send_form(owner, address(channel), **other).status_code == 422
    assert send_form(owner, address(channel), **other, topic="ops2").status_code == 303
    assert unseal(only_channel().sealed_settings) == {**other, "topic": "ops2"}


def test_a_topic_is_a_secret_for_whoever_knows_it_can_read_it(
    owner: FlaskClient, colleague: Callable[[str], FlaskClient], receiver: Receiver
) -> None:
    add(owner, "ntfy", name="Phone", topic="a-topic-nobody-guesses", server=receiver.url)
    channel = only_channel()
    member = colleague("member")
    for path in (LIST, address(channel)):
        assert "a-topic-nobody-guesses" not in member.get(path).text
    assert "a topic at 127.0.0.1" in open_page(member, LIST).text
    assert send_form(owner, address(channel), topic="another").status_code == 303
    assert unseal(only_channel().sealed_settings)["topic"] == "another"


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_secret_that_is_optional_can_be_removed(
    owner: FlaskClient, team: Team, kind: str
) -> None:
    fields = KINDS[kind].Config().fields
    secrets = [name for name, field in fields.items() if field.metadata["secret"]]
    channel = make_channel(team, kind, **dict.fromkeys(secrets, "saved-one"))
    page = open_page(owner, address(channel))
    for name in secrets:
        assert page.has_id(f"field-remove_{name}-1") == (not fields[name].required)


def test_what_is_removed_is_gone_and_what_is_entered_instead_is_saved(
    owner: FlaskClient, receiver: Receiver
) -> None:
    add(owner, "ntfy", name="Phone", topic="ops", token="tk_one", server=receiver.url)
    channel = only_channel()
    answer = send_form(owner, address(channel), remove_token="1", topic="no topic")
    assert answer.status_code == 422 and "checked" in answer.text
    send_form(owner, address(channel), remove_token="1", token="tk_two")
    assert unseal(only_channel().sealed_settings)["token"] == "tk_two"
    send_form(owner, address(channel), remove_token="1")
    assert "token" not in unseal(only_channel().sealed_settings)
    assert not open_page(owner, address(channel)).has_id("field-remove_token-1")

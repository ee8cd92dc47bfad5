"""Apprise in its process: guarded, ended in time, and what the other side answers is told."""

import socket
from collections.abc import Callable

import pytest
from apprise.manager_plugins import NotificationManager
from marshmallow import ValidationError

from app.channels.deadline import Deadline
from app.channels.kinds import apprise
from app.channels.sending import Answer, DeliveryError, Network, Sending
from tests.channels.deliveries import make_message
from tests.channels.receivers import Receiver, Reply, drip_bytes
from tests.ports import free_port

KEY = "3ccdd113474722377935511fc85d3dd4"


def send(url: str, *, allow_private: bool = True) -> Answer:
    return apprise.send(Sending(make_message(), {"url": url}, Network(allow_private)))


@pytest.fixture
def url(receiver: Receiver) -> str:
    return f"mmost://127.0.0.1:{receiver.port}/{KEY}"


def test_a_good_answer_is_told_with_its_beginning(receiver: Receiver, url: str) -> None:
    receiver.reply = lambda _: Reply(200, b"thank you" * 10_000)
    answer = send(url)
    assert answer.status == 200 and answer.text.startswith("thank youthank you")


@pytest.mark.parametrize("service", ["mmost://{}/" + KEY, "gotify://{}/Atoken12345"])
@pytest.mark.parametrize(
    ("status", "problem"), [(403, "delivery_rejected"), (500, "delivery_server_error")]
)
def test_a_refusal_is_told_with_what_was_answered(
    receiver: Receiver, service: str, status: int, problem: str
) -> None:
    receiver.reply = lambda _: Reply(status, b"the webhook was archived")
    with pytest.raises(DeliveryError, match=f"answered {status}") as caught:
        send(service.format(f"127.0.0.1:{receiver.port}"))
    assert caught.value.answer == Answer(status, "the webhook was archived")
    assert caught.value.problem == problem


def test_it_goes_to_no_private_address_and_the_error_names_the_setting(
    receiver: Receiver, url: str
) -> None:
    words = r"leads to 127\.0\.0\.1, .*FLOWPULSE_ALLOW_PRIVATE_ADDRESSES"
    with pytest.raises(DeliveryError, match=words) as caught:
        send(url, allow_private=False)
    assert caught.value.problem == "delivery_address_refused"
    assert receiver.received == []


@pytest.mark.parametrize(
    ("host", "words"),
    [("no-such-host.invalid", "not known|resolution|resolve"), ("127.0.0.1:{port}", "refused")],
)
def test_who_is_not_reached_is_told_why(host: str, words: str) -> None:
    with pytest.raises(DeliveryError, match=words) as caught:
        send(f"mmost://{host.format(port=free_port())}/{KEY}")
    assert caught.value.problem == "delivery_no_answer" and KEY not in str(caught.value)


def test_a_url_that_says_too_little_is_told_in_the_words_of_apprise() -> None:
    with pytest.raises(DeliveryError, match=r"could not deliver it\. .*Gotify"):
        send("gotify://127.0.0.1/")


def test_no_redirect_is_followed(receiver: Receiver, url: str) -> None:
    receiver.reply = lambda _: Reply(307, b"", {"Location": f"{receiver.url}/elsewhere"})
    with pytest.raises(DeliveryError, match="307, a redirect"):
        send(url)
    assert [each.path for each in receiver.received] == [f"/hooks/{KEY}"]


def test_who_drips_is_cut_off(serve_raw: Callable[..., str]) -> None:
    def behave(plug: socket.socket) -> None:
        plug.recv(4096)
        plug.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        drip_bytes(plug)

    url = f"mmost://{serve_raw(behave)}/{KEY}"
    with pytest.raises(DeliveryError, match="longer than 3 s"):
        apprise.send(Sending(make_message(), {"url": url}, Network(True), deadline=Deadline(3)))


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_apprise_knows_each_scheme_of_the_list() -> None:
    manager = NotificationManager()
    manager.load_modules()
    assert set(manager.schemas()) >= set(apprise.SERVICES)


@pytest.mark.parametrize(
    "url",
    ["syslog://", "mailto://a:b@example.org", "json://127.0.0.1", "dbus://", "file:///etc", "x"],
)
def test_only_what_is_on_the_list_is_taken(url: str) -> None:
    with pytest.raises(ValidationError):
        apprise.Config().load({"url": url})

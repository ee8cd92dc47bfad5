"""A try that failed says by which row of the troubleshooting table, and the try keeps it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from app.channels.connections import post
from app.channels.kinds import apprise, email
from app.channels.sending import DeliveryError, MailServer, Network, Sending
from app.problems import PROBLEMS
from tests.channels.certificates import make_certificate, serve_with
from tests.channels.conftest import make_channel
from tests.channels.deliveries import deliver, deliveries_of, make_message, post_to
from tests.channels.receivers import MailBox, Receiver, Reply
from tests.factories import Team
from tests.ports import free_port

ANYWHERE = Network(allow_private=True)


def problem_of(send: Callable[[], object]) -> str:
    with pytest.raises(DeliveryError) as caught:
        send()
    assert caught.value.problem in PROBLEMS
    return caught.value.problem


@pytest.mark.parametrize(
    ("url", "network", "row"),
    [
        ("http://127.0.0.1/", Network(), "delivery_address_refused"),
        ("ftp://files.example.org/", ANYWHERE, "delivery_address_refused"),
        ("http://nowhere.invalid/", ANYWHERE, "delivery_no_answer"),
        ("http://127.0.0.1:{closed}/", ANYWHERE, "delivery_no_answer"),
    ],
)
def test_who_can_not_be_asked_has_a_row(url: str, network: Network, row: str) -> None:
    address = url.format(closed=free_port())
    assert problem_of(lambda: post(address, b"{}", Sending(make_message(), {}, network), {})) == row


@pytest.mark.parametrize(
    ("status", "row"),
    [
        (302, "delivery_rejected"),
        (410, "delivery_rejected"),
        (503, "delivery_server_error"),
    ],
)
def test_an_answer_that_is_no_success_has_a_row(receiver: Receiver, status: int, row: str) -> None:
    receiver.reply = lambda _: Reply(status)
    assert (
        problem_of(lambda: post(receiver.url, b"{}", Sending(make_message(), {}, ANYWHERE), {}))
        == row
    )


def test_a_certificate_that_nobody_vouches_for_has_a_row(
    receiver: Receiver, tmp_path: Path
) -> None:
    server, context = receiver._server, serve_with(make_certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{receiver.port}/"
    assert (
        problem_of(lambda: post(url, b"{}", Sending(make_message(), {}, ANYWHERE), {}))
        == "delivery_certificate"
    )


def test_mail_that_can_not_be_handed_over_has_a_row(mail_box: MailBox) -> None:
    mail_box.refuse = {"ana@example.org": "550 unknown"}
    settings = {"recipients": "ana@example.org"}
    for port in (mail_box.port, free_port()):
        server = MailServer("127.0.0.1", port, "none", "", "", "flowpulse@example.org")
        sending = Sending(make_message(), settings, Network(mail_server=server))
        assert problem_of(partial(email.send, sending)) == "delivery_mail_failed"
    assert problem_of(lambda: email.send(Sending(make_message(), settings))) == (
        "delivery_mail_failed"
    )


def test_what_apprise_can_not_deliver_has_a_row() -> None:
    settings = {"url": f"json://127.0.0.1:{free_port()}/"}
    assert problem_of(lambda: apprise.send(Sending(make_message(), settings))) == "delivery_failed"


def test_the_row_is_kept_with_the_try(team: Team, receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(503)
    channel = make_channel(team, url=receiver.url)
    post_to(channel)
    deliver()
    ((tried,),) = (each.tries for each in deliveries_of(channel))
    assert tried.problem == "delivery_server_error"

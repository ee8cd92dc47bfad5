"""Mail by a real SMTP server: encrypted, signed in, and each recipient for itself."""

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.channels import connections
from app.channels.deadline import TOTAL_SECONDS, Deadline
from app.channels.kinds import email
from app.channels.sending import DeliveryError, MailServer, Network, Sending
from tests.channels.certificates import make_certificate, serve_with, trust
from tests.channels.conftest import Clock, make_channel
from tests.channels.deliveries import deliver, deliveries_of, make_message, post_to
from tests.channels.receivers import MailBox, Receiver, drip_bytes, drip_hello, only_with
from tests.factories import Team

GOOD = "a good password"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The authorities of this machine are the test's own."""
    monkeypatch.setattr(connections, "tls_context", lambda: trust(certificate))


@pytest.fixture
def secure_box(certificate: Path) -> Iterator[MailBox]:
    """Takes mail only after STARTTLS and a password."""
    with MailBox(
        tls_context=serve_with(certificate),
        require_starttls=True,
        authenticator=only_with("flow", GOOD),
        auth_required=True,
    ) as mail_box:
        yield mail_box


def send(box: MailBox, security: str, password: str = GOOD, host: str = "localhost") -> None:
    server = MailServer(host, box.port, security, "flow", password, "flowpulse@example.org")
    settings = {"recipients": "ana@example.org"}
    email.send(Sending(make_message(), settings, Network(mail_server=server)))


def test_mail_goes_out_encrypted_and_signed_in(secure_box: MailBox, trusting: None) -> None:
    send(secure_box, "starttls")
    assert len(secure_box.envelopes) == 1


@pytest.mark.parametrize(
    ("security", "password", "words"),
    [
        ("starttls", "a wrong password", "535"),
        ("none", GOOD, "530|STARTTLS|AUTH|encrypt"),
        ("tls", GOOD, "SSL|closed|version"),
    ],
)
def test_what_does_not_fit_the_server_is_an_error_without_the_password(
    secure_box: MailBox, trusting: None, security: str, password: str, words: str
) -> None:
    with pytest.raises(DeliveryError, match=words) as caught:
        send(secure_box, security, password)
    assert password not in str(caught.value) and secure_box.envelopes == []


def test_a_certificate_that_nobody_vouches_for_is_refused(secure_box: MailBox) -> None:
    with pytest.raises(DeliveryError, match="certificate"):
        send(secure_box, "starttls")
    assert secure_box.envelopes == []


def test_a_certificate_of_another_name_is_refused(secure_box: MailBox, trusting: None) -> None:
    with pytest.raises(DeliveryError, match="certificate"):
        send(secure_box, "starttls", host="127.0.0.1")


def send_raw(address: str, security: str, seconds: float = TOTAL_SECONDS) -> None:
    host, port = address.split(":")
    server = MailServer(host, int(port), security, "", "", "flowpulse@example.org")
    settings, deadline = {"recipients": "ana@example.org"}, Deadline(seconds)
    email.send(Sending(make_message(), settings, Network(mail_server=server), deadline=deadline))


def drip_greeting(plug: socket.socket) -> None:
    plug.sendall(b"220 ")
    drip_bytes(plug)


def drip_after_starttls(plug: socket.socket) -> None:
    plug.sendall(b"220 here\r\n")
    plug.recv(1000)
    plug.sendall(b"250-here\r\n250 STARTTLS\r\n")
    plug.recv(1000)
    plug.sendall(b"220 go on\r\n")
    drip_hello(plug)


@pytest.mark.parametrize(
    ("behave", "security"),
    [
        (drip_greeting, "none"),
        (drip_hello, "tls"),
        (drip_after_starttls, "starttls"),
    ],
)
def test_a_slow_mail_server_is_cut_off_from_the_greeting_on(
    serve_raw: Callable[..., str], behave: Callable[[socket.socket], None], security: str
) -> None:
    with pytest.raises(DeliveryError, match=r"longer than 0\.3 s"):
        send_raw(serve_raw(behave), security, 0.3)


def flood(plug: socket.socket) -> None:
    while True:
        plug.sendall((b"220-" + b"x" * 400 + b"\r\n") * 100)


def test_a_reply_that_never_ends_is_cut(serve_raw: Callable[..., str]) -> None:
    with pytest.raises(DeliveryError, match="longer than 64 KB"):
        send_raw(serve_raw(flood), "none")


def take_mail_and_stay(plug: socket.socket) -> None:
    """Takes a mail, and has nothing to say to a good-bye."""
    lines = plug.makefile("rb")
    plug.sendall(b"220 here\r\n")
    for _ in ("EHLO", "MAIL", "RCPT"):
        lines.readline()
        plug.sendall(b"250 yes\r\n")
    lines.readline()
    plug.sendall(b"354 go on\r\n")
    while lines.readline() != b".\r\n":
        pass
    plug.sendall(b"250 taken\r\n")
    while lines.readline():
        pass


def test_a_mail_that_was_taken_is_delivered_whatever_comes_after_it(
    serve_raw: Callable[..., str],
) -> None:
    send_raw(serve_raw(take_mail_and_stay), "none", 5)


def test_who_has_the_mail_already_does_not_get_it_again(
    app: Flask, team: Team, mail_box: MailBox, clock: Clock
) -> None:
    app.config.update(mail_box.settings)
    mail_box.refuse = {"bo@example.org": "450 Come back later"}
    recipients = "ana@example.org, bo@example.org, cy@example.org"
    channel = make_channel(team, "email", recipients=recipients)
    post_to(channel)
    deliver()
    (delivery,) = deliveries_of(channel)
    assert "bo@example.org: 450 Come back later" in str(delivery.tries[0].error)
    mail_box.refuse = {}
    clock.go(minutes=1)
    deliver()
    (delivery,) = deliveries_of(channel)
    assert delivery.state == "delivered"
    assert [each.rcpt_tos[0][:2] for each in mail_box.envelopes] == ["an", "cy", "bo"]


def test_a_mail_that_is_sent_twice_has_one_id(mail_box: MailBox) -> None:
    server = MailServer("127.0.0.1", mail_box.port, "none", "", "", "flowpulse@example.org")
    sending = Sending(
        make_message(), {"recipients": "ana@example.org"}, Network(mail_server=server)
    )
    for _ in range(2):
        email.send(sending)
    first, second = mail_box.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["X-FlowPulse-Message-Id"] == sending.message.id


def test_without_a_mail_server_the_error_says_which_setting_is_empty() -> None:
    with pytest.raises(DeliveryError, match="FLOWPULSE_SMTP_HOST"):
        email.send(Sending(make_message(), {"recipients": "ana@example.org"}))


def test_https_checks_the_name_though_the_address_was_resolved_before(
    certificate: Path,
    trusting: None,
    receiver: Receiver,
    serve_tls: Callable[[Receiver, ssl.SSLContext], None],
) -> None:
    serve_tls(receiver, serve_with(certificate))
    sending = Sending(make_message(), {}, Network(allow_private=True))
    url = f"https://localhost:{receiver.port}/hook"
    assert connections.post(url, b"{}", sending, {}).status == 200
    with pytest.raises(DeliveryError, match="certificate"):
        connections.post(url.replace("localhost", "127.0.0.1"), b"{}", sending, {})


@pytest.fixture
def serve_tls() -> Callable[[Receiver, ssl.SSLContext], None]:
    def wrap(receiver: Receiver, context: ssl.SSLContext) -> None:
        server = receiver._server
        server.socket = context.wrap_socket(server.socket, server_side=True)

    return wrap

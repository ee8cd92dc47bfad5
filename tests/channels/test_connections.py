"""No message goes where it must not: what a name leads to is judged, and used as it was judged."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.channels import connections
from app.channels.addresses import is_public
from app.channels.connections import MAX_ANSWER_BYTES
from app.channels.deadline import TOTAL_SECONDS, Deadline
from app.channels.sending import Answer, DeliveryError, Network, Sending
from tests.channels.deliveries import make_message
from tests.channels.receivers import Receiver, Reply, drip_bytes, drip_hello

PRIVATE = Network(allow_private=True)
PUBLIC = Network()


def post(
    url: str,
    body: bytes,
    network: Network,
    headers: dict[str, str],
    seconds: float = TOTAL_SECONDS,
) -> Answer:
    sending = Sending(make_message(), {}, network, deadline=Deadline(seconds))
    return connections.post(url, body, sending, headers)


_REFUSED = """
127.0.0.1 127.9.9.9 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1
169.254.169.254 100.64.0.1 100.100.100.200 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1
203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 fe80::1
fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 2001:db8::1 100::1 ::ffff:127.0.0.1
::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 ::127.0.0.1 ::8.8.8.8 64:ff9b::7f00:1
64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: 2001:0:7f00:1:: localhost 127.1
2130706433 0x7f000001 nonsense 3fff::1 5f00::1 2001:4860::5efe:10.0.0.1 2001:4860::5efe:a00:1
2001:4860::200:5efe:10.0.0.1 2400::5efe:7f00:1
"""
_ALLOWED = """
8.8.8.8 1.1.1.1 172.15.0.1 172.32.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808
2001:4860:4860::8888 2001:4860::5efe:8.8.8.8
"""


_LOOPBACK = "127.0.0.1 localhost [::1] [::ffff:127.0.0.1] 127.1 2130706433 0x7f000001 0177.0.0.1 0"


@pytest.mark.parametrize("address", _REFUSED.split())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", _ALLOWED.split())
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", _LOOPBACK.split())
def test_however_loopback_is_written_nothing_is_sent_there(receiver: Receiver, host: str) -> None:
    with pytest.raises(DeliveryError, match=r"FLOWPULSE_ALLOW_PRIVATE|can't be resolved"):
        post(f"http://{host}:{receiver.port}/", b"{}", PUBLIC, {})
    assert receiver.received == []


class Resolver:
    """Answers with one address after another, as a hostile name server does."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **options: Any) -> list[Any]:
        self.asked.append(host)
        address = self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_that_changes_between_two_looks_is_looked_up_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is public, the second is not: the connection goes to the first."""
    resolver, tried = Resolver("8.8.8.8", "127.0.0.1"), []

    class Plug(socket.socket):
        def connect(self, address: Any) -> None:
            tried.append(address)
            raise OSError("not in a test")

    monkeypatch.setattr(connections.socket, "getaddrinfo", resolver)
    monkeypatch.setattr(connections.socket, "socket", Plug)
    with pytest.raises(DeliveryError, match="No connection to rebind"):
        post(f"http://rebind.example:{receiver.port}/", b"{}", PUBLIC, {})
    assert tried == [("8.8.8.8", receiver.port)]
    assert resolver.asked == ["rebind.example"] and receiver.received == []


def test_of_several_addresses_only_public_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in ("10.0.0.1", "8.8.8.8", "169.254.169.254")
    ]
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_, **__: found)
    places = connections.resolve("mixed.example", 443, PUBLIC, Deadline())
    assert [place.sockaddr[0] for place in places] == ["8.8.8.8"]


def test_the_host_header_keeps_the_name(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections.socket, "getaddrinfo", Resolver("127.0.0.1"))
    post(f"http://hooks.example:{receiver.port}/a?b=c", b"{}", PRIVATE, {"X-Own": "1"})
    (request,) = receiver.received
    assert (request.path, request.body) == ("/a?b=c", b"{}")
    assert request.headers["host"] == f"hooks.example:{receiver.port}"
    assert request.headers["x-own"] == "1"


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(302, b"", {"Location": f"{receiver.url}/elsewhere"})
    with pytest.raises(DeliveryError, match="302, a redirect"):
        post(receiver.url, b"{}", PRIVATE, {})
    assert [each.path for each in receiver.received] == ["/"]


def test_no_proxy_of_the_environment_is_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(receiver.url, b"{}", PRIVATE, {}).status == 200


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_an_error_comes_with_what_was_answered(receiver: Receiver, status: int) -> None:
    receiver.reply = lambda _: Reply(status, b"why")
    with pytest.raises(DeliveryError, match=f"answered {status}") as caught:
        post(receiver.url, b"{}", PRIVATE, {})
    assert caught.value.answer is not None
    assert (caught.value.answer.status, caught.value.answer.text) == (status, "why")


def test_an_answer_is_cut_at_64_kb(receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(200, b"x" * 1_000_000)
    assert len(post(receiver.url, b"{}", PRIVATE, {}).text) == MAX_ANSWER_BYTES


def drip(plug: socket.socket) -> None:
    """Headers that never end, a byte now and then: no read ever waits for long."""
    plug.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip_bytes(plug)


@pytest.mark.parametrize(("scheme", "behave"), [("http", drip), ("https", drip_hello)])
def test_who_drips_is_cut_off(
    serve_raw: Callable[..., str], scheme: str, behave: Callable[[socket.socket], None]
) -> None:
    with pytest.raises(
        DeliveryError, match=r"no answer that can be read: it took longer than 0\.2"
    ):
        post(f"{scheme}://{serve_raw(behave)}/", b"{}", PRIVATE, {}, seconds=0.2)


def test_a_name_server_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_, **__: go_on.wait(20))
    with pytest.raises(DeliveryError, match="can't be resolved: it took longer"):
        post("http://slow.example/", b"{}", PRIVATE, {}, seconds=0.1)
    go_on.set()


def test_of_all_addresses_together_the_time_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of it is what each may take to be connected to."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))] * 3
    given: list[float | None] = []

    class Plug(socket.socket):
        def connect(self, address: Any) -> None:
            given.append(self.gettimeout())
            threading.Event().wait(0.15)
            raise TimeoutError("not in a test")

    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(connections.socket, "socket", Plug)
    with pytest.raises(DeliveryError, match="longer"):
        post("http://slow.example/", b"{}", PRIVATE, {}, seconds=0.2)
    assert len(given) == 2 and all(each is not None and each <= 0.2 for each in given)


def test_who_says_nothing_is_not_waited_for(
    serve_raw: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.1)
    address = serve_raw(lambda plug: threading.Event().wait(5))
    with pytest.raises(DeliveryError, match="timed out"):
        post(f"http://{address}/", b"{}", PRIVATE, {})


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_an_error_in_words(serve_raw: Callable[..., str], answer: bytes) -> None:
    def behave(plug: socket.socket) -> None:
        plug.recv(1000)
        plug.sendall(answer)

    with pytest.raises(DeliveryError):
        post(f"http://{serve_raw(behave)}/", b"{}", PRIVATE, {})


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "http://", "http://[", "nonsense", ""]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError):
        post(url, b"{}", PRIVATE, {})


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-Evil: 1", "/ä"])
def test_no_header_can_be_put_into_an_address(receiver: Receiver, path: str) -> None:
    try:
        post(receiver.url + path, b"{}", PRIVATE, {})
    except DeliveryError:
        pass
    assert all("x-evil" not in each.headers for each in receiver.received)

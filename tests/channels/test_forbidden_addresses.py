"""However an address that is not public is written, no kind of channel sends anything there."""

import socket
from typing import Any

import pytest
from marshmallow import ValidationError

from app.channels import connections
from app.channels.apprise_services import SERVICES
from app.channels.kinds import KINDS, apprise
from app.channels.sending import DeliveryError, Network, Sending
from app.channels.settings import is_web_address
from tests.channels.deliveries import make_message
from tests.channels.receivers import Receiver, Reply

FORBIDDEN = {
    "loopback": "127.0.0.1 127.0.0.2 127.255.255.254 [::1] [0:0:0:0:0:0:0:1] [::0001]",
    "any address": "0.0.0.0 0 [::] 0.1.2.3",
    "private": "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.0.1 192.168.255.255",
    "link-local": "169.254.0.1 169.254.169.254 [fe80::1] [febf::1] [fe80::1%25lo] [fe80::1%lo]",
    "shared by a carrier": "100.64.0.1 100.127.255.254 100.100.100.200",
    "multicast and broadcast": "224.0.0.1 239.255.255.255 255.255.255.255 [ff02::1] [ff0e::1]",
    "reserved": "240.0.0.1 192.0.0.1 192.0.0.192 198.18.0.1 192.88.99.1",
    "for documents": "192.0.2.1 198.51.100.1 203.0.113.9 [2001:db8::1] [3fff::1]",
    "unique local, site-local": "[fc00::1] [fd00:ec2::254] [fec0::1]",
    "mapped": "[::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1] [::ffff:169.254.169.254]",
    "compatible": "[::127.0.0.1] [::10.0.0.1]",
    "translated": "[64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1]",
    "tunnelled": "[2002:7f00:1::] [2002:a00:1::] [2001:0:7f00:1::] [2001:4860::5efe:10.0.0.1]",
    "decimal": "2130706433 2852039166 167772161 3232235521 017700000001",
    "hex": "0x7f000001 0x7F000001 0x7f.0.0.1 0x7f.0x0.0x0.0x1 0xa9fea9fe 0xA.0x0.0x0.0x1",
    "octal": "0177.0.0.1 0177.0000.0000.0001 0251.0376.0251.0376 012.0.0.1",
    "short": "127.1 127.0.1 10.1 192.168.1 169.254.43518",
    "a dot behind it": "127.0.0.1. localhost. metadata.google.internal.",
    "names": "localhost LOCALHOST localhost.localdomain ip6-localhost flow.localhost",
    "metadata": "168.63.129.16 metadata.google.internal metadata instance-data",
    "names that lead there": "127.0.0.1.nip.example local.example mixed.example",
    "other digits": "１２７.０.０.１ ①②⑦.⓪.⓪.① 127。0。0。1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ١٢٧.0.0.1",
    "encoded": "127%2e0%2e0%2e1 %6cocalhost",
}
NAMES = {
    "metadata": "169.254.169.254",
    "metadata.google.internal": "169.254.169.254",
    "instance-data": "169.254.169.254",
    "127.0.0.1.nip.example": "127.0.0.1",
    "local.example": "::1",
    "mixed.example": "fe80::1",
}
"""What a name server would say; whatever has to do with localhost is 127.0.0.1."""
WITH_USER = (
    "http://user@8.8.8.8/",
    "http://user:password@8.8.8.8/",
    "http://8.8.8.8@127.0.0.1/",
    "http://8.8.8.8%23@127.0.0.1/",
    "https://example.org:443@127.0.0.1/",
    "http://@8.8.8.8/",
)
PUBLIC = (
    "8.8.8.8 1.1.1.1 [2606:4700::1111] 134744072 0x08080808 [::ffff:8.8.8.8] [64:ff9b::808:808]"
)
FIELDS = {"slack": "url", "discord": "url", "teams": "url", "webhook": "url", "ntfy": "server"}
"""The kinds that take an address, and in which field."""
_getaddrinfo = socket.getaddrinfo


def resolve(host: str, port: int, **options: Any) -> list[Any]:
    """The machine's own reading of numbers; names as a hostile server would answer them."""
    plain = host.encode("idna").decode().lower().rstrip(".") if host else host
    try:
        return _getaddrinfo(plain, port, flags=socket.AI_NUMERICHOST, **options)
    except socket.gaierror:
        address = "127.0.0.1" if "localhost" in plain else NAMES.get(plain)
        if address is None:
            raise
        return _getaddrinfo(address, port, flags=socket.AI_NUMERICHOST, **options)


class Plug(socket.socket):
    """Notes where it would have connected to."""

    tried: list[str] = []  # noqa: RUF012 (one list for all)

    def connect(self, address: Any) -> None:
        self.tried.append(address[0])
        raise OSError("not in a test")


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(connections.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(connections.socket, "socket", Plug)
    Plug.tried.clear()
    return Plug.tried


def send(kind: str, address: str, network: Network) -> str:
    """Why nothing was sent; a channel's saved settings are not looked at again."""
    settings = {FIELDS[kind]: address, "topic": "t", "secret": "whsec_MTIz"}
    with pytest.raises(DeliveryError) as caught:
        KINDS[kind].send(Sending(make_message(), settings, network))
    return str(caught.value)


def hosts() -> list[str]:
    return [host for row in FORBIDDEN.values() for host in row.split()]


def test_the_table_is_long_and_names_each_kind() -> None:
    assert len(set(hosts())) >= 90
    checked = {
        kind
        for kind, module in KINDS.items()
        for field in module.Config().fields.values()
        if is_web_address in getattr(field, "validators", ())
    }
    assert checked == set(FIELDS)


@pytest.mark.parametrize("kind", FIELDS)
def test_nothing_is_sent_to_an_address_that_is_not_public(kind: str, tried: list[str]) -> None:
    for host in hosts():
        for scheme in ("http", "https"):
            why = send(kind, f"{scheme}://{host}/hook", Network())
            assert "not on the public internet" in why or "can't be resolved" in why, (host, why)
    assert tried == []


@pytest.mark.parametrize("kind", FIELDS)
def test_a_user_before_the_host_is_refused_even_where_private_addresses_are_allowed(
    kind: str, tried: list[str]
) -> None:
    for address in WITH_USER:
        assert "before an @" in send(kind, address, Network(allow_private=True))
        with pytest.raises(ValidationError, match="before the @"):
            is_web_address(address)
    assert tried == []


@pytest.mark.parametrize("kind", FIELDS)
def test_public_addresses_pass_and_private_ones_where_a_setting_allows_them(
    kind: str, tried: list[str]
) -> None:
    for host in PUBLIC.split():
        send(kind, f"http://{host}/hook", Network())
    assert len(tried) == len(PUBLIC.split())
    send(kind, "http://127.1:9/hook", Network(allow_private=True))
    assert tried[-1] == "127.0.0.1"


def test_apprise_takes_listed_schemes_only_and_none_that_reads_or_starts_something() -> None:
    dangerous = "file mailto mailtos syslog dbus kde glib gnome windows macosx exec json jsons xml"
    dangerous += (
        " xmls form forms mqtt mqtts smtp rsyslog growl apprise apprises http https sns ses"
    )
    assert not set(dangerous.split()) & set(SERVICES)


@pytest.mark.parametrize(
    "more", ["?attach=file:///etc/hostname", "?attach=/etc/hostname&attach-as=x"]
)
def test_apprise_sends_no_file_whatever_its_address_asks_for(receiver: Receiver, more: str) -> None:
    receiver.reply = lambda _: Reply(200, b"ok")
    url = f"mmost://127.0.0.1:{receiver.port}/{'a' * 32}{more}"
    apprise.send(Sending(make_message(), {"url": url}, Network(allow_private=True)))
    (request,) = receiver.received
    with open("/etc/hostname", "rb") as file:
        content = file.read().strip()
    assert content not in request.body and "multipart" not in request.headers["content-type"]


def test_apprise_is_stopped_at_the_connection_however_the_address_is_written(
    receiver: Receiver,
) -> None:
    for host in ("2130706433", "[::ffff:127.0.0.1]"):
        url = f"mmost://{host}:{receiver.port}/{'a' * 32}"
        with pytest.raises(DeliveryError):
            apprise.send(Sending(make_message(), {"url": url}, Network()))
    assert receiver.received == []

"""Whose X-Forwarded-* headers are believed: those of proxies, by the addresses they come from."""

import logging
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, NamedTuple

from app.config import ConfigurationError

logger = logging.getLogger(__name__)

SETTING = "FLOWPULSE_TRUSTED_PROXIES"
USER_HEADER = "FLOWPULSE_PROXY_USER_HEADER"
USER = "flowpulse.proxy_user"
"""Where in its environ the address of who comes stands, as a proxy that is believed tells it."""
UNIX = "unix"
"""Who comes by a Unix socket, which has no address: its file's rights say who may."""
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Environ = dict[str, Any]
Application = Callable[..., Any]

NEAR = tuple(
    map(
        ip_network,
        (
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "100.64.0.0/10",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)
"""Where proxies are looked for that are only counted: this machine, private and link-local networks
(RFC 1918, 3927, 4193, 4291), and those between providers' machines (RFC 6598)."""
MOST_HOPS = 20
# A path: with a second slash at its beginning, a browser would take what follows for a host.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?|/")
_MOST_KNOWN = 1024


class Proxies(NamedTuple):
    """How many there are, 0 where that is not said, and where; `is_named`: by their addresses."""

    number: int
    networks: tuple[Network, ...]
    has_unix: bool
    is_named: bool

    @property
    def is_off(self) -> bool:
        return not (self.number or self.is_named)

    def holds(self, address: Address | None) -> bool:
        """None is the Unix socket."""
        if address is None:
            return self.has_unix
        return any(address in network for network in self.networks)


class _Hop(NamedTuple):
    """In the one form that is kept, empty for what is no address; and whether a proxy is there."""

    address: str
    is_proxy: bool


def read_proxies(value: object) -> Proxies:
    """Of the setting: a number, addresses and networks, or both. Raises ConfigurationError."""
    count, networks, has_unix = 0, [], False
    words = str(value).replace(",", " ").split()
    try:
        for word in words:
            if word.isascii() and word.isdigit():
                if len(words) > 1 and (count or not int(word)):
                    raise ValueError
                count = int(word)
            elif word.lower() == UNIX:
                has_unix = True
            else:
                networks.append(_read_network(word))
    except ValueError:
        raise ConfigurationError(
            f"{SETTING} is {str(value)!r}: must be the proxies' addresses or networks, such as "
            "127.0.0.1,10.0.0.0/8, or unix; or their number; 0 is for none."
        ) from None
    is_named = has_unix or bool(networks)
    return Proxies(count, tuple(networks) if is_named else NEAR, has_unix or not is_named, is_named)


def believe_proxies(application: Application, value: object, user_header: str = "") -> Application:
    """The application as it sees requests once proxies are believed; without any, itself.

    `user_header`: the one in which they tell who comes; nothing else may read it.
    """
    proxies = read_proxies(value)
    return application if proxies.is_off else TrustedProxies(application, proxies, user_header)


class TrustedProxies:
    """Gives the application each request as the first proxy got it.

    Each header is read from its end, which the nearest proxy has written; what stands before the
    word of the farthest that is believed may be the client's own.
    """

    def __init__(self, application: Application, proxies: Proxies, user_header: str = "") -> None:
        self.application, self.proxies = application, proxies
        self._user_variable = f"HTTP_{user_header.upper().replace('-', '_')}" if user_header else ""
        self._know = lru_cache(_MOST_KNOWN)(self._look_up)
        self._has_told = False

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        peer = environ.get("REMOTE_ADDR", "")
        # Nobody's word is kept or shown, whoever gave it: what is stored of a request has no name.
        user = environ.pop(self._user_variable, "") if self._user_variable else ""
        if self._know(peer).is_proxy:
            self._believe(environ)
            if user:
                environ[USER] = user.strip(" \t")  # White space of a header (RFC 9110, 5.6.3).
        elif not self._has_told and "HTTP_X_FORWARDED_FOR" in environ:
            self._tell(peer)
        return self.application(environ, start_response)

    def _look_up(self, text: str) -> _Hop:
        address = read_address(text)
        is_known = address is not None or not text
        return _Hop(str(address or ""), is_known and self.proxies.holds(address))

    def _believe(self, environ: Environ) -> None:
        hops = list(self._walk(environ.get("HTTP_X_FORWARDED_FOR", "")))
        if hops:
            environ["REMOTE_ADDR"] = hops[-1]
        depth = max(1, len(hops)) if self.proxies.is_named else self.proxies.number
        scheme = _nth_from_end(environ.get("HTTP_X_FORWARDED_PROTO"), depth).lower()
        if scheme in {"http", "https"}:
            environ["wsgi.url_scheme"] = scheme
        host = _nth_from_end(environ.get("HTTP_X_FORWARDED_HOST"), depth)
        if host:
            environ["HTTP_HOST"] = host
        prefix = _nth_from_end(environ.get("HTTP_X_FORWARDED_PREFIX"), depth)
        if _PREFIX.fullmatch(prefix):
            environ["SCRIPT_NAME"] = prefix.rstrip("/")

    def _walk(self, header: str) -> Iterator[str]:
        """The addresses that proxies tell, the nearest first and the client's last.

        Beyond one that is not named nobody is believed; of those that are only counted, all but the
        nearest may stand anywhere. What is no address ends the way.
        """
        most = self.proxies.number or MOST_HOPS
        for text in reversed(header.split(",")[-most:]):
            hop = self._know(text.strip())
            if not hop.address:
                return
            yield hop.address
            if self.proxies.is_named and not hop.is_proxy:
                return

    def _tell(self, peer: str) -> None:
        """Once in each process: anybody could have it written."""
        self._has_told = True
        logger.warning(
            "%s sends X-Forwarded-For, and is not believed: it is none of %s. If it is a proxy of "
            "yours, name its address there.",
            peer,
            SETTING,
        )


def read_address(text: str) -> Address | None:
    """Also with a port or a zone, as some proxies write it; IPv4 within IPv6 as IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_network(word: str) -> Network:
    """Raises ValueError."""
    network = ip_network(word, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped and network.prefixlen >= 96:
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _nth_from_end(header: str | None, depth: int) -> str:
    """Where fewer have written into it, what the farthest of them wrote."""
    if not header or "," not in header:
        return (header or "").strip()
    values = [value.strip() for value in header.split(",")]
    return values[-min(depth, len(values))]

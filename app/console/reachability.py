"""Whether senders elsewhere can reach this server's address, as far as the address tells."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_LOCAL_ENDINGS = (".local", ".localhost", ".internal", ".lan", ".home.arpa")


def describe_reach(base_url: str) -> str | None:
    """A sentence on who can't reach it; None for an address that looks public."""
    host = (urlsplit(base_url).hostname or "").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return _describe_name(host)
    if address.is_loopback or address.is_unspecified:
        return _OWN_MACHINE
    return None if address.is_global else _OWN_NETWORK


_OWN_MACHINE = "leads to the machine itself: only senders on this very machine can reach it."
_OWN_NETWORK = "is a private one: only senders in the same network can reach it."


def _describe_name(host: str) -> str | None:
    if host == "localhost" or host.endswith(".localhost"):
        return _OWN_MACHINE
    return _OWN_NETWORK if "." not in host or host.endswith(_LOCAL_ENDINGS) else None

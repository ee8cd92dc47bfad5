"""Which addresses of the network a message may go to: public ones, unless a setting allows others.

Only Python's own library is used here: the process that runs Apprise reads this file too.
"""

import ipaddress

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = ipaddress.ip_address("168.63.129.16")
"""Azure's, the only one of the clouds that looks like a public address."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
ODD = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24"))
"""Networks of IPv4 for special purposes that some versions of Python call global."""
EMBEDDING = tuple(
    ipaddress.ip_network(text)
    for text in ("::/96", "64:ff9b:1::/48", "2001::/32", "3fff::/20", "5f00::/16", "fec0::/10")
)
"""Networks of IPv6 that lead to others, or that do not stand for anything public: 3fff::/20 is for
documents (RFC 9637), 5f00::/16 for segment routing (RFC 9602)."""
ISATAP, ISATAP_MASK = 0x00005EFE, 0xFDFFFFFF
"""What stands before the IPv4 address in one of RFC 5214; one bit of it may be set or not."""


def is_public(text: str) -> bool:
    """Whether an address, as a resolver gives it, is one of the public internet's."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_is_plainly_public(each) for each in (address, *_embedded(address)))


def _embedded(address: IpAddress) -> list[IpAddress]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if address.version == 4:
        return []
    inner: list[IpAddress] = [each for each in (address.ipv4_mapped, address.sixtofour) if each]
    if address in NAT64 or (int(address) >> 32) & ISATAP_MASK == ISATAP:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return inner


def _is_plainly_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return True  # It is judged by the address in it.
    if address.version == 6 and any(address in network for network in EMBEDDING):
        return False
    if address in NAT64:
        return True
    if any(address in network for network in ODD):
        return False
    refused = (
        address.is_private,
        address.is_loopback,
        address.is_link_local,
        address.is_multicast,
        address.is_reserved,
        address.is_unspecified,
        address == METADATA,
    )
    return address.is_global and not any(refused)

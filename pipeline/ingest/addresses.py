"""Which addresses a feed may make us dial: public ones, and those that the operator named. Pure.

The check is made on the very address that is dialled (pipeline.ingest.fetch hands it the sockaddr), so neither a
name that resolves twice, nor a literal that no resolver sees, nor a redirect gets around it.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from pipeline.ingest.answer import BadAddress
from pipeline.ingest.text import one_line
from pipeline.values import Allowed

# Python 3.11 calls some of these global, though they lead to IPv4 hosts or private sites.
_WRAPPED = (
    ip_network("::/96"), ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"),
    ip_network("2001::/32"), ip_network("fec0::/10"), ip_network("100::/64"), ip_network("5f00::/16"),
)  # fmt: skip
_CLOSED_V4 = (
    ip_network("100.64.0.0/10"),
    ip_network("192.0.0.0/24"),
    ip_network("198.18.0.0/15"),
    ip_network("192.88.99.0/24"),
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to a host on the public internet, IPv4 inside IPv6 unwrapped."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _WRAPPED):
            return False
    elif any(address in network for network in _CLOSED_V4):
        return False
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    return address.is_global and not (special or address.is_link_local or address.is_private)


def may_dial(host: str, port: int, allowed: Allowed) -> bool:
    """Whether the numeric address `host` (zone index allowed) may be dialled on `port`."""
    try:
        address = ip_address(host.split("%", 1)[0])
    except ValueError:
        return False
    return is_public(address) or allowed.permits(address, port)


def checked_url(url: str) -> str:
    """`url`, if feeds may have it. Raises BadAddress."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadAddress("the address cannot be read", "write http(s)://host/path") from None
    if parts.scheme not in ("http", "https") or not host:
        raise BadAddress(
            f"the address begins with {one_line(parts.scheme, 20)!r}", "only http and https are fetched"
        )
    if "@" in parts.netloc:
        raise BadAddress("the address carries a login", "feeds with logins are not supported")
    return url

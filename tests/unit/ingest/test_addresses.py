"""Which addresses a feed may make us dial."""

from ipaddress import ip_address

import pytest

from pipeline.errors import ConfigurationError
from pipeline.ingest.addresses import is_public, may_dial
from pipeline.values import Allowed, read_allowed

CLOSED = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fec0::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
]
OPEN = [
    "8.8.8.8",
    "93.184.216.34",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("address", CLOSED)
def test_private_addresses_are_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not may_dial(address, 80, Allowed())


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_open(address: str) -> None:
    assert may_dial(address, 443, Allowed())


def test_a_zone_index_does_not_help() -> None:
    assert not may_dial("fe80::1%eth0", 80, Allowed())
    assert not may_dial("localhost", 80, Allowed())


def test_allowed_pairs_and_networks() -> None:
    allowed = read_allowed(("127.0.0.1:8099", "[::1]:*", "10.0.0.0/8", "localhost:81"))
    assert may_dial("127.0.0.1", 8099, allowed)
    assert may_dial("127.0.0.1", 81, allowed)
    assert not may_dial("127.0.0.1", 8100, allowed)
    assert may_dial("::1", 1, allowed)
    assert may_dial("10.1.2.3", 80, allowed)
    assert not may_dial("192.168.0.1", 80, allowed)


@pytest.mark.parametrize("value", ["intranet:80", "10.0.0.0/99", "nonsense"])
def test_a_wrong_value_is_named(value: str) -> None:
    with pytest.raises(ConfigurationError, match=value.split("/")[0]):
        read_allowed((value,))

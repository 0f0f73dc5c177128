"""Settings that hold more than one value: read here for those who use them, and for settings.py, which refuses mistakes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, get_args
from urllib.parse import urlsplit

from pipeline.errors import ConfigurationError, SettingsError

Reason = Literal["uncertain", "alert", "disputed", "drift", "suspect", "random"]
REASONS: tuple[Reason, ...] = get_args(Reason)

_HOST_PORT = re.compile(r"^\[?(?P<host>[^\[\]/]+?)\]?:(?P<port>\d{1,5}|\*)$")
_SHARE = re.compile(r"\s*([a-z]+)\s*=\s*(\d+(?:\.\d+)?)\s*")
# A comma parts two addresses only where a new name=scheme:// follows; Apprise addresses may hold commas.
_NEXT_ADDRESS = re.compile(r"\s*,\s*(?=[\w-]+\s*=\s*\w+://)")
_ADDRESS = re.compile(r"[^=]*[^=\s]\s*=\s*[\w+.-]+://\S.*", re.DOTALL)
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Private addresses that feeds may use all the same: `host:port` pairs (port `*` for all) and networks."""

    pairs: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = field(default=())

    def permits(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        pairs = {(str(address), port), (str(address), 0)}
        return bool(pairs & self.pairs) or any(address in network for network in self.networks)


def read_allowed(values: tuple[str, ...]) -> Allowed:
    """Parse UNDERTOW_FETCH_ALLOW_PRIVATE: `127.0.0.1:8099`, `[::1]:*`, `10.0.0.0/8`, `localhost:80`.

    Raises ConfigurationError that names the first value which is neither.
    """
    pairs: set[tuple[str, int]] = set()
    networks: list[IPv4Network | IPv6Network] = []
    for value in values:
        match = _HOST_PORT.match(value)
        try:
            if match:
                host = "127.0.0.1" if match["host"] == "localhost" else match["host"]
                pairs.add((str(ip_address(host)), 0 if match["port"] == "*" else int(match["port"])))
            else:
                networks.append(ip_network(value))
        except ValueError:
            raise ConfigurationError(
                f"UNDERTOW_FETCH_ALLOW_PRIVATE: {value!r} is neither address:port nor a network",
                "write 127.0.0.1:8099 or 10.0.0.0/8",
            ) from None
    return Allowed(frozenset(pairs), tuple(networks))


def parse_mix(text: str) -> dict[Reason, float]:
    """Shares by reason from `uncertain=40, random=10, ...`, scaled to add up to 1. Raises SettingsError."""
    shares: dict[Reason, float] = {}
    for part in text.split(","):
        found = _SHARE.fullmatch(part)
        if found is None or found.group(1) not in REASONS:
            raise SettingsError(
                f"UNDERTOW_LABEL_QUEUE_MIX: {part.strip()!r} is not reason=share",
                f"the reasons are {', '.join(REASONS)}",
            )
        shares[found.group(1)] = float(found.group(2))  # type: ignore[index]
    total = sum(shares.values())
    if total <= 0:
        raise SettingsError("UNDERTOW_LABEL_QUEUE_MIX adds up to nothing", "give at least one share")
    return {reason: share / total for reason, share in shares.items()}


def apprise_urls(text: str) -> dict[str, str]:
    """Addresses by name, from `name=url, name=url`."""
    pairs = (pair.partition("=") for pair in _NEXT_ADDRESS.split(text) if pair.strip())
    return {name.strip(): url.strip() for name, _, url in pairs if url.strip()}


def check_apprise_urls(text: str) -> None:
    """Raises SettingsError, which shows none of the text: addresses hold tokens."""
    for number, pair in enumerate(_NEXT_ADDRESS.split(text), 1):
        if pair.strip() and not _ADDRESS.fullmatch(pair):
            raise SettingsError(f"address {number} is not name=scheme://...", "parts are parted by commas")


def check_device(name: str) -> None:
    """Raises SettingsError; whether the device is there, only the learner can say."""
    if not _DEVICE.fullmatch(name):
        raise SettingsError(f"{name!r} is no device", "write auto, cpu, cuda, cuda:N or mps")


def check_web_address(url: str) -> None:
    """Raises SettingsError for what is no http(s) address."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        sound = False
    if not sound:
        raise SettingsError("it is no address of a web server", "write it like http://127.0.0.1:8070")

"""Who is asking: a person on this machine, a logged-in user, or whoever a trusted proxy or Airflow vouches for."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.settings import Settings
from pipeline.store.desk_access import ROLES

# Groups that a trusted proxy may name, and Airflow's roles, with what they may do here.
GROUPS = {"undertow-operator": "operator", "undertow-labeller": "labeller", "undertow-reader": "reader"}
AIRFLOW_ROLES = {"admin": "operator", "op": "operator", "user": "labeller", "viewer": "reader"}
LOCAL_NAME = "local"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who may use the desk: the name goes into the audit, the role decides what they may do."""

    name: str
    role: str
    can_log_out: bool = False

    def may(self, role: str) -> bool:
        """True if this visitor's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


class LoginNeeded(Exception):
    """Nobody is logged in; pages lead to the login, the API answers 401."""


class NotAllowed(Exception):
    """The visitor's role does not include what they asked for."""

    def __init__(self, role: str) -> None:
        super().__init__(role)
        self.role = role


def is_loopback(host: str | None) -> bool:
    """True for addresses and names of this machine."""
    if host is None:
        return False
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_for_this_machine(settings: Settings) -> bool:
    """True if only people at this machine reach the desk: it listens on loopback, and nothing says that a proxy leads others
    there, who would all seem to come from this machine."""
    address = urlsplit(settings.desk_url)
    proxies = settings.desk_trusted_proxy is not None or bool(settings.desk_tls_proxies)
    named = address.scheme == "https" or not is_loopback(address.hostname)
    return is_loopback(settings.desk_host) and not proxies and not named


def host_name(header: str) -> str:
    """The name or address in a Host header, in small letters, without port and brackets."""
    name = header.rsplit(":", 1)[0] if not header.endswith("]") else header
    return name.strip("[]").lower()


def host_is_known(header: str, known: Collection[str]) -> bool:
    """True if a Host header names this machine or one of `known`: another name is a page that rebinds DNS."""
    name = host_name(header)
    return is_loopback(name) or name in known


def visitor_of_proxy(headers: Mapping[str, str]) -> Visitor | None:
    """The user a trusted proxy names in X-Forwarded-User, with the best role of X-Forwarded-Groups (else reader)."""
    name = headers.get("x-forwarded-user", "").strip()
    if not name or len(name) > 100 or not name.isprintable():
        return None
    groups = {group.strip() for group in headers.get("x-forwarded-groups", "").split(",")}
    roles = [GROUPS[group] for group in groups if group in GROUPS]
    return Visitor(name, max(roles, key=ROLES.index, default="reader"))


def visitor_of_user(user: Any) -> Visitor:
    """A Visitor, or what Airflow's get_user returns, as a Visitor; unknown roles may read."""
    if isinstance(user, Visitor):
        return user
    name = str(user.get_name() if hasattr(user, "get_name") else getattr(user, "name", "airflow"))
    return Visitor(name, max(_airflow_roles(user), key=ROLES.index, default="reader"))


def _airflow_roles(user: Any) -> list[str]:
    # SimpleAuthManager has one role, FAB a list of objects with names
    said = [getattr(user, "role", None), *(getattr(user, "roles", None) or [])]
    names = [str(getattr(role, "name", role)).lower() for role in said if role is not None]
    return [AIRFLOW_ROLES[name] for name in names if name in AIRFLOW_ROLES]

"""Airflow's connections without Airflow: AIRFLOW_CONN_<ID> as a URI or JSON, or the dict that a DAG passes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pipeline.errors import ConfigurationError

PREFIX = "AIRFLOW_CONN_"
# What senders look for, the first of a kind wins.
USED = ("smtp_default", "slack_api_default", "slack_default", "apprise_default")


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection; `repr` shows no secret."""

    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    password: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def flag(self, name: str) -> bool:
        """A boolean of extra, however it was written."""
        return str(self.extra.get(name, "")).strip().lower() in ("true", "1", "yes", "on")


def connections_in(environment: Mapping[str, str]) -> dict[str, Connection]:
    """The connections of `USED` that the environment holds. Raises ConfigurationError."""
    named = {name: environment.get(PREFIX + name.upper()) for name in USED}
    return {name: read_connection(text, name) for name, text in named.items() if text}


def read_connection(value: str | Mapping[str, Any], name: str = "connection") -> Connection:
    """A connection from a URI, from JSON, or from a dict with Airflow's field names. Raises ConfigurationError."""
    try:
        if isinstance(value, str):
            value = json.loads(value) if value.lstrip().startswith("{") else _from_uri(value)
        extra = value.get("extra") or {}
        return Connection(
            conn_type=str(value.get("conn_type") or "").replace("_", "-").lower(),
            host=str(value.get("host") or ""),
            port=int(value["port"]) if value.get("port") else None,
            login=str(value.get("login") or ""),
            password=str(value.get("password") or ""),
            extra=json.loads(extra) if isinstance(extra, str) else dict(extra),
        )
    except (ValueError, TypeError, AttributeError) as error:
        # the text itself is not shown: it holds a password
        raise ConfigurationError(
            f"the Airflow connection {name} cannot be read ({type(error).__name__})",
            f"write {PREFIX}{name.upper()} as a URI or as JSON",
        ) from None


def _from_uri(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query))
    extra = json.loads(query["__extra__"]) if "__extra__" in query else query
    return {
        "conn_type": parts.scheme,
        "host": unquote(parts.hostname or ""),
        "port": parts.port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": extra,
    }

"""The desk as a server of its own."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from pipeline.desk.app import create_app
from pipeline.desk.visitors import is_for_this_machine, is_loopback
from pipeline.errors import ConfigurationError, PortTaken
from pipeline.settings import Settings
from pipeline.store.desk_access import list_users
from pipeline.store.engine import Engine


def serve_desk(engine: Engine, settings: Settings, *, say: Callable[[str], None]) -> None:
    """Serves until it is stopped. Raises PortTaken, or ConfigurationError where nobody could log in."""
    import uvicorn

    _someone_may_enter(engine, settings)
    listener = _listen(settings.desk_host, settings.desk_port)
    say(f"the desk is at http://{settings.desk_host}:{settings.desk_port}/ (Ctrl-C stops it)")
    config = uvicorn.Config(
        create_app(engine, settings),
        log_level="warning",
        # forwarded headers are read by us, from proxies that are named, and by nobody else
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _someone_may_enter(engine: Engine, settings: Settings) -> None:
    if is_for_this_machine(settings) or settings.desk_trusted_proxy is not None:
        return
    how = (
        "is reached through a proxy (UNDERTOW_DESK_URL or UNDERTOW_DESK_TLS_PROXIES names it)"
        if is_loopback(settings.desk_host)
        else f"would listen on {settings.desk_host}"
    )
    with engine.connect() as connection:
        if not any(user["disabled_at"] is None for user in list_users(connection)):
            raise ConfigurationError(
                f"the desk {how}, and nobody may log in",
                "add a user first: undertow desk user add NAME --role operator",
            )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} is taken", "set UNDERTOW_DESK_PORT to another one") from error
        raise ConfigurationError(
            f"the desk cannot listen on {host}:{port} ({error.strerror})", "check UNDERTOW_DESK_HOST"
        ) from error
    return listener

"""What `up` hands to the processes that it starts, and what it waits for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import PlatformError
from pipeline.platform import services as module
from pipeline.platform.rest import AirflowClient
from pipeline.platform.services import Addresses, Services
from pipeline.platform.supervisor import State, Supervisor
from pipeline.settings import load_settings
from pipeline.store.server import HOST, Server


class Desk(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def desk_port() -> Iterator[int]:
    """A port where a desk serves."""
    server = HTTPServer((HOST, 0), Desk)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow that is well; only the desk is waited for."""
    monkeypatch.setattr(Server, "url", lambda self, database: f"postgresql://{database}")
    monkeypatch.setattr(AirflowClient, "health", lambda self: {"scheduler": "healthy", "triggerer": "None"})
    monkeypatch.setattr(Services, "client", lambda self: AirflowClient("http://127.0.0.1:1", "admin", ""))


def environment_of(services: Services) -> tuple[Addresses, dict[str, str]]:
    addresses = services._choose_ports(desk=True)
    return addresses, services._environment(addresses)


def test_the_processes_are_told_the_port_that_the_desk_got(healthy: None) -> None:
    with socket.socket() as somebody:
        somebody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            somebody.bind((HOST, 8070))
            somebody.listen()
        except OSError:
            pass  # taken already, which is what is wanted
        addresses, environment = environment_of(Services(load_settings()))
    assert addresses.desk_port not in (None, 8070)
    assert environment["UNDERTOW_DESK_PORT"] == str(addresses.desk_port)
    assert environment["UNDERTOW_DESK_URL"] == addresses.desk_url


def test_a_desk_address_that_was_given_stays_in_messages(
    healthy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERTOW_DESK_URL", "https://desk.bank.example")
    _, environment = environment_of(Services(load_settings()))
    assert environment["UNDERTOW_DESK_URL"] == "https://desk.bank.example"


def test_up_is_done_once_the_desk_answers(healthy: None, desk_port: int) -> None:
    told: list[str] = []
    Services(load_settings())._await_health(told.append, Addresses(1, desk_port))
    assert told == []


def test_up_is_not_done_while_the_desk_is_silent(healthy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEALTHY_TIMEOUT_S", 0.2)
    told: list[str] = []
    with pytest.raises(PlatformError, match=r"not healthy after .*desk\.log"):
        Services(load_settings())._await_health(told.append, Addresses(1, 1))
    assert len(told) == 1


def test_up_ends_what_one_that_was_killed_began(healthy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[str] = []
    monkeypatch.setattr(Supervisor, "running", lambda self: True)
    monkeypatch.setattr(Services, "addresses", lambda self: Addresses(1, None))
    monkeypatch.setattr(
        AirflowClient, "ensure_pool", lambda self, name, slots, description: pools.append(name)
    )
    Services(load_settings()).up(lambda news: None)
    assert pools == ["feeds", "gpu", "training"]


def test_up_starts_nothing_when_it_cannot_note_where(healthy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(Services, "_prepare", lambda self, say: None)
    monkeypatch.setattr(module.airflow, "migrate", lambda server, environment: False)
    monkeypatch.setattr(Supervisor, "start", lambda self, *_: started.append("all"))
    services = Services(load_settings())
    (services.folder / "addresses.json").mkdir(parents=True)
    with pytest.raises(PlatformError, match="cannot write to"):
        services.up(lambda news: None)
    assert started == []


def test_up_says_which_process_gave_up(healthy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = State("desk", "FATAL", 0, "Exited too quickly", Path("desk.log"))
    monkeypatch.setattr(Services, "states", lambda self: [dead])
    with pytest.raises(PlatformError, match="desk does not start"):
        Services(load_settings())._await_health(lambda news: None, Addresses(1, 1))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8070/health"),
        ("0.0.0.0", "http://127.0.0.1:8070/health"),
        ("::", "http://[::1]:8070/health"),
        ("10.1.2.3", "http://10.1.2.3:8070/health"),
    ],
)
def test_a_desk_is_asked_where_it_listens(host: str, url: str) -> None:
    assert module._health_url(host, 8070) == url

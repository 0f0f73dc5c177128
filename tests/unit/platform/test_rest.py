"""What the client of Airflow's REST API says when it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pipeline.errors import PlatformError
from pipeline.platform import rest


class AnotherAirflow(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b'{"detail": "Invalid credentials"}'
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), AnotherAirflow)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_another_servers_refusal_says_whose_port_it_may_be(stranger: str) -> None:
    client = rest.AirflowClient(stranger, "admin", "a-secret-of-ours")
    with pytest.raises(PlatformError, match=r"does not know our login.*UNDERTOW_AIRFLOW_PORT") as caught:
        client.runs()
    assert "a-secret-of-ours" not in str(caught.value)

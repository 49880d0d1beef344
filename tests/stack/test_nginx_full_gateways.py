"""Gateways that are full, behind nginx: it asks the others."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.stack.layout import Layout
from deploy.stack.nginx import nginx
from deploy.stack.supervisor import Supervisor
from tests.stack.conftest import ENV, echo

pytestmark = pytest.mark.servers

_SETTINGS = {
    "CARILLON_PUBLIC_ORIGINS": "http://chat.test",
    "CARILLON_NGINX_CONNECTIONS_PER_IP": "1000",
    "CARILLON_NGINX_HANDSHAKES_PER_SECOND": "1000",
}
_HANDSHAKE = (
    b"GET /ws/chat/lobby/ HTTP/1.1\r\nHost: chat.test\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
)


class _Full(BaseHTTPRequestHandler):
    """Answers as a gateway does that has no room."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Retry-After", "5")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _full_gateway(layout: Layout, number: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", layout.gateway(number)), _Full)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _shake(layout: Layout) -> str:
    with socket.create_connection(("127.0.0.1", layout.port), 10) as connection:
        connection.sendall(_HANDSHAKE)
        return connection.recv(65536).decode()


def test_another_gateway_is_asked(supervisor: Supervisor, layout: Layout) -> None:
    """No handshake fails while one gateway has room, however nearly full the others are."""
    supervisor.up([echo("gateway-1", layout.gateway(1))])
    with _full_gateway(layout, 2), _full_gateway(layout, 3):
        supervisor.up([nginx(layout, ENV, _SETTINGS, ())])
        for _ in range(30):
            found = re.search(r"X-Port: (\d+)", _shake(layout))
            assert found is not None, "a full gateway's refusal reached the client"
            assert int(found[1]) == layout.gateway(1)


def test_all_are_full(supervisor: Supervisor, layout: Layout) -> None:
    """The client is told so, with when to come back."""
    with _full_gateway(layout, 1), _full_gateway(layout, 2):
        supervisor.up([nginx(layout, ENV, _SETTINGS, ())])
        for _ in range(5):
            answer = _shake(layout)
            assert answer.startswith("HTTP/1.1 503 ")
            assert "Retry-After: " in answer

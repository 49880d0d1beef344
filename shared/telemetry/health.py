"""
The internal port: `/metrics`, `/livez` and `/readyz`, beside the process's request threads.

A POST may start something, such as a gateway's `/drain`; whoever reaches the port is an operator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

__all__ = ["Check", "serve"]

# Returns None when all is well, else one sentence that says what is not.
type Check = Callable[[], str | None]


def serve(
    host: str,
    port: int,
    *,
    registry: Callable[[], CollectorRegistry],
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    actions: Mapping[str, Callable[[], object]] = MappingProxyType({}),
) -> ThreadingHTTPServer:
    """
    Serve the internal endpoints from a thread and return the server; `shutdown()` ends it.

    Args:
        host: the address to bind; loopback unless a container needs more.
        port: the port to bind; 0 lets the system choose.
        registry: gives the metrics to expose, asked anew for each scrape.
        live: checks whose failure means that only a restart helps; never a dependency.
        ready: checks whose failure means that no new work should come here.
        actions: by path, what a POST starts; called in a thread.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def handle(self) -> None:
            # Whoever asked may have gone, as a scraper does that waited for too long.
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            match self.path:
                case "/metrics":
                    self._answer(200, generate_latest(registry()), CONTENT_TYPE_LATEST)
                case "/livez":
                    self._report(live)
                case "/readyz":
                    self._report(ready)
                case path if path in actions:
                    self._answer(405, b"ask with POST\n")
                case _:
                    self._answer(404, b"not found\n")

        def do_POST(self) -> None:
            # Whatever was sent along is not read.
            self.close_connection = True
            if (action := actions.get(self.path)) is None:
                self._answer(404, b"not found\n")
            elif "Origin" in self.headers:
                # A page, open in a browser on this machine, whose site nobody knows.
                self._answer(403, b"not from a browser\n")
            else:
                action()
                self._answer(202, b"begun\n")

        def _report(self, checks: Mapping[str, Check]) -> None:
            failing = {name: words for name, check in checks.items() if (words := check())}
            lines = [f"{name}: {words}\n" for name, words in failing.items()] or ["ok\n"]
            self._answer(503 if failing else 200, "".join(lines).encode())

        def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="internal-http", daemon=True).start()
    return server

"""Questions to a starting service: does it work yet?"""

import base64
import http.client
import socket
import subprocess
from collections.abc import Mapping

from deploy.stack.service import Probe

__all__ = ["answers", "is_free", "listens", "succeeds"]

TIMEOUT_SECONDS = 2.0


def listens(port: int) -> Probe:
    """Ask whether something accepts connections on a port."""

    def probe() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS).close()
        except OSError:
            return False
        return True

    return probe


def answers(
    port: int, path: str, *, headers: Mapping[str, str] | None = None, login: str = ""
) -> Probe:
    """Ask whether a page comes without an error; `login` is `user:password`."""
    fields = dict(headers or {})
    if login:
        fields["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()

    def probe() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers=fields)
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def succeeds(*command: str) -> Probe:
    """Ask whether a program ends with 0."""

    def probe() -> bool:
        return subprocess.run(command, capture_output=True).returncode == 0

    return probe


def is_free(port: int) -> bool:
    """Tell whether a service could listen on a port of the loopback address."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

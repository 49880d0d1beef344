"""Servers that listen elsewhere than on a TCP port, or write to it in another way."""

from __future__ import annotations

import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any

from tests.certificates import make_certificate
from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import RawClient

__all__ = ["TlsChild", "UnixChild"]


class TlsChild(Child):
    """A server that ends TLS itself, with a certificate of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        key, certificate = make_certificate(folder, "127.0.0.1")
        self.context = ssl.create_default_context(cafile=certificate)
        endpoint = f"ssl:port=0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
        super().__init__(folder, "--endpoint", endpoint, *arguments)

    def connect(self, **how: Any) -> RawClient:
        client = super().connect(**how)
        client.socket = self.context.wrap_socket(client.socket, server_hostname="127.0.0.1")
        return client


class UnixChild(Child):
    """A server on a unix socket, whose path must be short."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = f"{self._folder.name}/socket"
        super().__init__(folder, "--endpoint", f"unix:{self.path}", *arguments)

    def connect(self, **how: Any) -> RawClient:
        return _UnixClient(self.path, **how)

    def kill(self) -> None:
        super().kill()
        self._folder.cleanup()


class _UnixClient(RawClient):
    def __init__(
        self, path: str, *, seconds: float = 10.0, receive_buffer: int | None = None
    ) -> None:
        # What is on its way is in the sender's buffer there: the receiver's is no bound.
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.pings: list[bytes] = []
        self._read = bytearray()

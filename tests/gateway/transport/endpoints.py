"""Servers that listen elsewhere than on a TCP port, or write to it in another way."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import RawClient

__all__ = ["TlsChild", "UnixChild"]


class TlsChild(Child):
    """A server that ends TLS itself, with a certificate of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        key, certificate = _certificate(folder)
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


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for 127.0.0.1, and return where they are."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "carillon.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths

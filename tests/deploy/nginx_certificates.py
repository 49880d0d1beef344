"""A certificate that nginx ends TLS with, and clients that trust it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.deploy.nginx_front import Front

__all__ = ["Files", "self_made"]


def self_made(name: str) -> tuple[str, str]:
    """Make a certificate that signs itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


class Files:
    """The certificate and the key that nginx is told."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.renew()

    @property
    def settings(self) -> dict[str, str]:
        return {
            **self.front.static,
            "CARILLON_PUBLIC_ORIGINS": f"https://chat.test:{self.front.tls_port}",
            "CARILLON_NGINX_TLS_CERTIFICATE": str(self.certificate),
            "CARILLON_NGINX_TLS_KEY": str(self.key),
        }

    def renew(self) -> None:
        certificate, key = self_made("chat.test")
        self.certificate: Path = self.front.own("tls.crt", certificate)
        self.key: Path = self.front.own("tls.key", key)

    def context(self, *protocols: str, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client that trusts this certificate and no other."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if protocols:
            context.set_alpn_protocols(protocols)
        if newest is not None:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
        return context

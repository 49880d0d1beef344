"""A certificate that nginx ends TLS with, and clients that trust it."""

from __future__ import annotations

import ssl
from pathlib import Path

from tests.certificates import self_made
from tests.deploy.nginx_front import Front

__all__ = ["Files"]


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

"""TLS to the broker: who signed its certificate, and whose name it bears, both count."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["verified"]


def verified(url: str) -> dict[str, str] | bool:
    """
    Return how kombu and Celery are to speak TLS with the broker of a URL; false for `amqp`.

    Without a host's name py-amqp takes any certificate that a trusted authority has signed. Which
    ones are trusted, OpenSSL decides: `SSL_CERT_FILE` names others, beside those in the system's
    folder unless `SSL_CERT_DIR` is another one.
    """
    parts = urlsplit(url)
    return {"server_hostname": parts.hostname or ""} if parts.scheme == "amqps" else False

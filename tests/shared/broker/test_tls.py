"""TLS to the broker: a certificate is for one host, whoever has signed it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from shared.broker.inspection import Fault, inspect
from shared.broker.sender import Sender, SendFailed
from shared.broker.tls import verified
from tests.certificates import make_certificate

# py-amqp tries twice, with two seconds between.
pytestmark = pytest.mark.thorough

# What a client says first once it trusts the server.
GREETING = b"AMQP"


class Listener:
    """Ends TLS with a certificate for one name, and keeps what clients say first."""

    def __init__(self, folder: Path, name: str) -> None:
        key, self.certificate = make_certificate(folder, name)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"amqps://carillon:secret@localhost:{self._socket.getsockname()[1]}/carillon"
        self.heard: list[bytes] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.settimeout(5)
                with (
                    contextlib.suppress(OSError),
                    client,
                    self._context.wrap_socket(client, server_side=True) as stream,
                ):
                    self.heard.append(stream.recv(4))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextlib.contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> Iterator[Listener]:
    """Have a server that bears a name, whose certificate is trusted."""
    listener = Listener(folder, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(listener.certificate))
    try:
        yield listener
    finally:
        listener.close()


def knock(url: str) -> list[str]:
    """Have everything that speaks to the broker try; return what each was told."""
    with pytest.raises(SendFailed) as ringing:
        Sender(url).send("bells", b"")
    looking = inspect(url, hears_bells=False, has_jobs=False)
    assert [fault for fault, _ in looking.faults] == [Fault.AWAY]
    celery = Celery(
        broker=url,
        broker_use_ssl=verified(url),
        broker_transport_options={"interval_start": 0},
        set_as_current=False,
    )
    with pytest.raises(Exception, match=r".") as working, celery.connection_for_write() as away:
        away.connect()
    return [str(ringing.value), looking.faults[0][1], str(working.value)]


def test_certificate_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for another host is refused before anything was said, trusted as it may be."""
    with listening(monkeypatch, tmp_path, "elsewhere.example") as listener:
        for told in knock(listener.url):
            assert "certificate is not valid for 'localhost'" in told
    assert listener.heard == []


def test_certificate_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the right one each goes on, here to a server that says nothing else."""
    with listening(monkeypatch, tmp_path, "localhost") as listener:
        knock(listener.url)
    assert len(listener.heard) >= 3
    assert set(listener.heard) == {GREETING}


def test_plain_connections() -> None:
    """Without TLS there is nothing to check."""
    assert verified("amqp://carillon:secret@localhost/carillon") is False

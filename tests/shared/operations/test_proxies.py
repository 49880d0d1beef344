"""What stands in front of the services, right and wrong in every way that is looked for."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pytest_django import Settings

from shared.operations import mirrors, proxies
from shared.operations.gateways import Address
from shared.operations.surroundings import MANIFEST
from tests.certificates import make_certificate

type Rewrite = Callable[[dict[str, str]], dict[str, str]]

OURS = {"X-Real-IP": "198.51.100.7", "X-Forwarded-Proto": "http", "X-Forwarded-For": "198.51.100.7"}


def overwrite(headers: Mapping[str, str]) -> dict[str, str]:
    """Do what our nginx does."""
    return {name: value for name, value in headers.items() if name not in mirrors.SHOWN} | OURS


@dataclass
class Front:
    """
    A stand-in for nginx and what is behind it.

    Attributes:
        rewrite: what it does to headers on their way.
        open_paths: what else answers 200.
        closed: how all else is answered.
        socket: how a handshake is answered, by its Origin.
        port: where it listens.
        certificate: where its certificate is, if it has one.
    """

    rewrite: Rewrite = overwrite
    open_paths: set[str] = field(default_factory=lambda: {"/static/web/page.1a2b.css"})
    closed: int = 404
    socket: Callable[[str], int] = lambda origin: 403 if "forged" in origin else 101
    port: int = 0
    certificate: Path | None = None

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        reached = self.rewrite(headers)
        if path == f"/{mirrors.ADDRESS}" and mirrors.is_proof(reached.get("Carillon-Check", "")):
            return 200, json.dumps(mirrors.reflection(reached, is_secure=False)).encode()
        if path == "/connection/websocket" and reached.get("Upgrade") == "websocket":
            return self.socket(reached.get("Origin", "")), b""
        return (200 if path in self.open_paths else self.closed), b""


@pytest.fixture
def front(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Front]:
    """A right one, until a test makes it wrong; with TLS where it is asked for."""
    made = Front()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = made.answer(self.path, dict(self.headers.items()))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if getattr(request, "param", None) == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, certificate = make_certificate(tmp_path, "chat.test")
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.certificate = certificate
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    made.port = server.server_port
    settings.CARILLON_PUBLIC_ORIGINS = [f"http://127.0.0.1:{made.port}", "http://127.0.0.1:1"]
    settings.STATIC_ROOT = tmp_path
    manifest = {"paths": {"web/page.css": "web/page.1a2b.css"}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def look(front: Front) -> list[str]:
    """What is found, as `id: words`."""
    seen = proxies.look(f"http://127.0.0.1:{front.port}/")
    return [f"{finding.id}: {finding.msg}" for finding in seen.findings]


def test_right(front: Front) -> None:
    """Nothing is found; who asked is told."""
    seen = proxies.look(f"http://127.0.0.1:{front.port}")
    assert seen.findings == []
    assert seen.facts["client"] == "198.51.100.7"
    assert seen.facts["socket"] == 101


def test_through_another_door(front: Front, settings: Settings) -> None:
    """As from a container, in which the public name leads nowhere; it is asked by that name."""
    settings.CARILLON_PUBLIC_ORIGINS = ["http://chat.test"]
    hosts: set[str] = set()
    front.rewrite = lambda headers: hosts.add(headers["Host"]) or overwrite(headers)
    seen = proxies.look("http://chat.test", Address("127.0.0.1", front.port))
    assert seen.findings == []
    assert hosts == {"chat.test"}


@pytest.mark.parametrize("front", ["https"], indirect=True)
def test_tls(front: Front, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate has to be the public name's, by whichever way it is asked, and trusted."""
    settings.CARILLON_PUBLIC_ORIGINS = ["https://chat.test", "https://other.test"]
    front.rewrite = lambda headers: overwrite(headers) | {"X-Forwarded-Proto": "https"}
    through = Address("127.0.0.1", front.port)
    [finding] = proxies.look("https://chat.test", through).findings
    assert finding.id == "carillon.E050"
    assert "certificate verify failed" in str(finding.msg)
    monkeypatch.setenv("SSL_CERT_FILE", str(front.certificate))
    assert proxies.look("https://chat.test", through).findings == []
    [finding] = proxies.look("https://other.test", through).findings
    assert "Hostname mismatch" in str(finding.msg)


@pytest.mark.parametrize("name", sorted(set(mirrors.SHOWN)))
def test_forged_header_that_comes_through(front: Front, name: str) -> None:
    """Each is named."""
    front.rewrite = lambda headers: (
        overwrite(headers) | {key: headers[key] for key in headers if key.lower() == name.lower()}
    )
    [words] = look(front)
    assert words.startswith("carillon.E054: ")
    assert name in words


def test_address_that_is_added_to(front: Front) -> None:
    """Behind what the client wrote, where services would have to guess how much is true."""
    front.rewrite = lambda headers: (
        overwrite(headers)
        | {"X-Forwarded-For": f"{headers.get('X-Forwarded-For', '')}, 198.51.100.7"}
    )
    [words] = look(front)
    assert words.startswith("carillon.E054: ")


def test_services_that_are_told_nothing(front: Front) -> None:
    """Neither who asks nor by which scheme."""
    front.rewrite = lambda headers: {
        name: value for name, value in headers.items() if name not in mirrors.SHOWN
    }
    assert look(front) == [
        "carillon.E055: The services are not told X-Real-IP and X-Forwarded-Proto"
    ]


def test_addresses_for_operators(front: Front) -> None:
    """Which of them can be reached."""
    front.open_paths |= {"/metrics", "/drain"}
    assert look(front) == ["carillon.E051: /metrics, /drain can be reached from outside"]


@pytest.mark.parametrize(("status", "is_open"), [(302, 0), (401, 0), (403, 0), (405, 1), (503, 1)])
def test_addresses_that_are_refused_otherwise(front: Front, status: int, is_open: int) -> None:
    """By what stands before nginx; an answer of the services themselves is another thing."""
    front.closed = status
    assert len(look(front)) == is_open


@pytest.mark.parametrize(
    ("socket", "id"),
    [
        (lambda _: 426, "carillon.E052"),
        (lambda _: 503, "carillon.E052"),
        (lambda _: 101, "carillon.E053"),
    ],
)
def test_sockets(front: Front, socket: Callable[[str], int], id: str) -> None:
    """None comes through, or those of foreign pages, too."""
    front.socket = socket
    [words] = look(front)
    assert words.startswith(id)


def test_static_files(front: Front) -> None:
    """Those of this version."""
    front.open_paths = set()
    assert look(front) == ["carillon.E056: /static/web/page.1a2b.css is answered with 404"]


def test_another_deployments_mirror(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is looked at all the same."""
    monkeypatch.setattr(mirrors, "is_proof", lambda _: False)
    front.open_paths |= {"/livez"}
    assert [words[:13] for words in look(front)] == ["carillon.W057", "carillon.E051"]


def test_page_instead_of_the_mirror(front: Front) -> None:
    """As of something that answers 200 to all."""
    front.open_paths |= {f"/{mirrors.ADDRESS}"}
    front.rewrite = lambda headers: {
        name: value for name, value in overwrite(headers).items() if name != "Carillon-Check"
    }
    [words] = look(front)
    assert words.startswith("carillon.W057")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "does not answer: ConnectionRefusedError"),
        ("https://chat.example.org", "is none of CARILLON_PUBLIC_ORIGINS"),
        ("chat.example.org", "is none of CARILLON_PUBLIC_ORIGINS"),
    ],
)
def test_no_address(front: Front, url: str, words: str) -> None:
    """One finding, and nothing else is asked."""
    [finding] = proxies.look(url).findings
    assert finding.id == "carillon.E050"
    assert words in str(finding.msg)

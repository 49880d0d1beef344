"""Requests that are no handshake, or a bad one: a short answer each, soon, and no traceback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.gateway.transport.child import Child
from tests.gateway.transport.rawclient import RawClient, Response, handshake

# Servers of their own, one after the other.
pytestmark = pytest.mark.thorough

_SOON = 0.5


@pytest.fixture(autouse=True)
def _lives(server: Child) -> Iterator[None]:
    """Whatever a test sends, the server answers others, and logs no mistake of its own."""
    yield
    with server.open() as client:
        client.send("still there?")
        assert client.read_text() == "still there?"
    assert "Traceback" not in server.errors()
    assert "ERROR" not in server.errors()


def _ask(server: Child, data: bytes) -> Response:
    """Send bytes, and return the answer; the connection has to end after it."""
    with server.connect() as client:
        started = time.monotonic()
        client.socket.sendall(data)
        response = client.response()
        assert time.monotonic() - started < _SOON
        with suppress(ConnectionResetError):
            # It is reset where the server has left something unread.
            client.read_rest()
        return response


def _get(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_handshake(server: Child) -> None:
    """RFC 6455's own example."""
    with server.connect() as client:
        client.socket.sendall(handshake(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ=="))
        response = client.response()
        assert response.status == 101
        assert response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert response.headers["upgrade"].lower() == "websocket"


@pytest.mark.parametrize("upgrade", ["WebSocket", "websocket, h2c", "h2c,websocket", " websocket "])
def test_upgrade_in_a_list(server: Child, upgrade: str) -> None:
    """WebSocket may be one of several protocols that a client would take, in any letters."""
    with server.connect() as client:
        client.open(upgrade=upgrade)


@pytest.mark.parametrize("ending", [b"\r\n", b"\r\n\r\n"])
def test_data_right_behind_a_handshake(server: Child, ending: bytes) -> None:
    """A client that does not wait for the answer is heard, or refused, but never misread."""
    with server.connect() as client:
        client.socket.sendall(handshake("/stats") + ending)
        assert client.response().status in {101, 400}


_REFUSED = {
    "no upgrade": (426, _get("GET / HTTP/1.1", "Host: x")),
    "an upgrade to something else": (426, handshake(upgrade="h2c")),
    "POST": (405, handshake(method="POST")),
    "POST without an upgrade": (405, _get("POST / HTTP/1.1", "Host: x", "Content-Length: 0")),
    "HEAD": (405, _get("HEAD / HTTP/1.1", "Host: x")),
    "an unknown method": (405, _get("FROB / HTTP/1.1", "Host: x")),
    "a body of 400 MB": (
        413,
        _get("POST / HTTP/1.1", "Host: x", "Content-Length: 400000000") + b"x" * 1000,
    ),
    "a body in chunks": (
        413,
        _get("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
    ),
    "a handshake with a body": (413, handshake(headers=(("Content-Length", "5"),)) + b"hello"),
    "a handshake with chunks": (
        413,
        handshake(headers=(("Transfer-Encoding", "chunked"),)) + b"0\r\n\r\n",
    ),
    "a length and chunks": (
        400,
        handshake(headers=(("Content-Length", "5"), ("Transfer-Encoding", "chunked"))) + b"hello",
    ),
    "two lengths": (400, handshake(headers=(("Content-Length", "5"), ("Content-Length", "6")))),
    "a length that is none": (400, handshake(headers=(("Content-Length", "five"),))),
    "a negative length": (400, handshake(headers=(("Content-Length", "-5"),))),
    "a protocol that is not ASCII": (400, handshake(headers=(("Sec-WebSocket-Protocol", "\xff"),))),
    "version 8": (426, handshake(sec_websocket_version="8")),
    "version 14": (426, handshake(sec_websocket_version="14")),
    "version x": (400, handshake(sec_websocket_version="x")),
    "no version": (400, handshake(without=("Sec-WebSocket-Version",))),
    "two versions": (400, handshake(headers=(("Sec-WebSocket-Version", "13"),))),
    "HTTP/1.0": (400, handshake(protocol="HTTP/1.0")),
    "HTTP/2.0": (400, handshake(protocol="HTTP/2.0")),
    "no protocol": (400, b"GET /\r\n\r\n"),
    "nonsense": (400, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
    "two Hosts": (400, handshake(headers=(("Host", "evil.example.org"),))),
    "no Host": (400, handshake(without=("Host",))),
    "no key": (400, handshake(without=("Sec-WebSocket-Key",))),
    "a short key": (400, handshake(sec_websocket_key="c2hvcnQ=")),
    "a key that is no base64": (400, handshake(sec_websocket_key="!" * 24)),
    "two keys": (400, handshake(headers=(("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),))),
    "no Connection": (400, handshake(without=("Connection",))),
    "a Connection that does not upgrade": (400, handshake(connection="close")),
    "a header of 20 KB": (431, handshake(headers=(("Cookie", "x" * 20_000),))),
    "600 headers": (431, handshake(headers=tuple((f"X-{n}", "y") for n in range(600)))),
    "a path of 20 KB": (431, handshake("/" + "x" * 20_000)),
    "a header without a name": (400, handshake(headers=(("", "x"),))),
    "a header without a colon": (400, _get("GET / HTTP/1.1", "Host: x", "nonsense")),
    "a vertical tab in a header": (400, handshake(headers=(("X-A", "a\x0bb"),))),
    "a NUL in a header": (400, handshake(headers=(("X-A", "a\x00b"),))),
    "a bare CR in a header": (400, handshake(headers=(("X-A", "a\rX-Real-IP: 6.6.6.6"),))),
    "a space in a header's name": (400, handshake(headers=(("X A", "b"),))),
    "a byte above ASCII in a header's name": (400, handshake(headers=(("X-\x85", "b"),))),
    "a fragment in the path": (400, handshake("/echo#x")),
    "a byte above ASCII in the path": (400, handshake("/\xff")),
    "a byte above ASCII in the query": (400, handshake("/echo?\xff")),
}


@pytest.mark.parametrize(("status", "data"), _REFUSED.values(), ids=_REFUSED.keys())
def test_refusal(server: Child, status: int, data: bytes) -> None:
    """The status says what is wrong, within a moment."""
    response = _ask(server, data)
    assert response.status == status
    assert response.headers.get("connection", "close").lower() == "close"
    if status == 426:
        assert response.headers["sec-websocket-version"] == "13"
    if status == 405:
        assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("value", ["a\x85b", "caf\xe9"])
def test_latin_1_in_a_header_is_harmless(server: Child, value: str) -> None:
    """Such bytes come to the application as they are, or not at all."""
    with server.connect() as client:
        client.socket.sendall(handshake("/scope", headers=(("X-A", value),)))
        status = client.response().status
        assert status in {101, 400}
        if status == 101:
            assert ["x-a", value] in client.read_json()["headers"]


@pytest.mark.parametrize(
    "path",
    [
        *("/nowhere", "nowhere", "*", "/%0a", "/%ff", "/%00", "/%", "/..%2f..", "//x", "/;x"),
        "/?" + "a=b&" * 99,
        "http://evil.example.org/nowhere",
    ],
)
def test_odd_path(server: Child, path: str) -> None:
    """Whatever the path decodes to, the application decides; here it knows none of them."""
    assert _ask(server, handshake(path)).status == 404


@pytest.mark.parametrize("code", [403, 404, 429, 503])
def test_status_by_the_application(server: Child, code: int) -> None:
    """An application that turns a handshake down by a status is obeyed at once."""
    assert _ask(server, handshake(f"/status?code={code}")).status == code


def test_close_before_accept(server: Child) -> None:
    """An application that closes instead of accepting refuses, which is 403."""
    assert _ask(server, handshake("/refuse")).status == 403


def test_body_is_not_read(server: Child) -> None:
    """A body is refused before it comes, and not taken when it comes anyway."""
    before = server.stats()["rss"]
    with server.connect() as client:
        client.socket.sendall(_get("POST / HTTP/1.1", "Host: x", "Content-Length: 400000000"))
        assert client.response().status == 413
        with suppress(ConnectionError):
            client.fill(b"x" * 65536, most=100_000_000)
    assert server.stats()["rss"] - before < 5_000_000


def test_slow_header(serve: Callable[..., Child]) -> None:
    """Who sends a byte now and then has as little time as who sends nothing."""
    server = serve("--header-seconds", "1")
    silent, trickling = server.connect(), server.connect()
    started = time.monotonic()
    trickling.socket.settimeout(0.1)
    for byte in handshake(headers=(("X-A", "a" * 1000),)):
        try:
            trickling.socket.sendall(bytes((byte,)))
            if trickling.socket.recv(1, 2):  # MSG_PEEK
                break
        except TimeoutError:
            continue
    for client in (silent, trickling):
        client.socket.settimeout(10)
        assert client.response().status == 408
        with suppress(ConnectionResetError):
            client.read_rest()
    assert time.monotonic() - started < 5
    assert "Traceback" not in server.errors()


def test_slow_header_leaves_others_alone(serve: Callable[..., Child]) -> None:
    """The time for the head of a request ends with it."""
    server = serve("--header-seconds", "0.3")
    with server.open() as early, server.open("/slow-accept?seconds=0.6") as late:
        early.send("a")
        late.send("b")
        assert (early.read_text(), late.read_text()) == ("a", "b")


@pytest.mark.parametrize("name", ["X-Real-IP", "X-Forwarded-For", "Forwarded"])
def test_forged_address(server: Child, name: str) -> None:
    """Nobody but a proxy of ours says where a connection comes from."""
    with server.connect() as client:
        client.open("/scope", headers=((name, "6.6.6.6"),))
        told = client.read_json()
        assert told["client"] == list(client.address)
        assert "x-real-ip" not in dict(told["headers"])


def test_forged_address_that_is_no_text(server: Child) -> None:
    """It is not even decoded."""
    client, told = _scope(server, ("X-Real-IP", "\xff\xfe"))
    with client:
        assert told["client"] == list(client.address)


def _scope(server: Child, *headers: tuple[str, str]) -> tuple[RawClient, dict[str, object]]:
    client = server.open("/scope", headers=headers)
    return client, client.read_json()


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = Child(tmp_path_factory.mktemp("proxied"), "--proxy", "127.0.0.0/8")
    yield child
    child.kill()


@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::9"])
def test_address_by_a_proxy(behind_proxy: Child, address: str) -> None:
    """A proxy of ours is believed; its own address is taken where it names none."""
    server = behind_proxy
    named, told = _scope(server, ("X-Real-IP", address), ("X-Forwarded-For", "6.6.6.6"))
    unnamed, own = _scope(server, ("X-Forwarded-For", "6.6.6.6"))
    with named, unnamed:
        assert told["client"][0] == address
        assert own["client"] == list(unnamed.address)


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ["nobody"],
        ["6.6.6.6, 7.7.7.7"],
        ["6.6.6.6", "7.7.7.7"],
        ["127.0.0.1:80"],
        ["a" * 500],
        ["\xff\xfe"],
    ],
)
def test_senseless_address_by_a_proxy(behind_proxy: Child, values: list[str]) -> None:
    """A proxy that does not say where a connection comes from is refused, and nothing is logged."""
    headers = tuple(("X-Real-IP", value) for value in values)
    before = behind_proxy.errors()
    response = _ask(behind_proxy, handshake("/scope", headers=headers))
    assert response.status == 400
    assert response.headers["content-type"] == "text/plain"
    assert behind_proxy.errors() == before


def test_root_path_is_not_the_clients_to_say(server: Child) -> None:
    """Daphne would take it from a header."""
    for name in ("Daphne-Root-Path", "daphne-root-path"):
        client, told = _scope(server, (name, "/evil"))
        with client:
            assert told["root_path"] == ""


def test_header_with_underscore(server: Child) -> None:
    """It could pass for the one with a hyphen."""
    client, told = _scope(server, ("X_Real_IP", "6.6.6.6"))
    with client:
        assert told["client"] == list(client.address)
        assert "x_real_ip" not in dict(told["headers"])

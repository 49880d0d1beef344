"""TLS that nginx ends itself: a certificate and a key are all that it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from tests.certificates import self_made
from tests.deploy.nginx_certificates import Files
from tests.deploy.nginx_front import SOCKET, Front

pytestmark = pytest.mark.servers


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with Front.temporary() as front:
        await front.web()
        await front.gateway()
        yield front


@pytest.fixture
def files(front: Front) -> Files:
    return Files(front)


async def test_pages_and_sockets(front: Front, files: Files) -> None:
    """A page comes over https, a WebSocket over wss; services are told of the scheme."""
    await front.start(files.settings)
    page = await front.ask("/rooms/", port=front.tls_port, tls=files.context("http/1.1"))
    assert page.seen["headers"]["x-forwarded-proto"] == "https"
    # HSTS is Django's to say.
    assert "Strict-Transport-Security" not in page.headers
    async with connect(
        f"wss://chat.test:{front.tls_port}{SOCKET}",
        host="127.0.0.1",
        port=front.tls_port,
        ssl=files.context(),
        proxy=None,
    ) as socket:
        await socket.recv()
        assert '"X-Forwarded-Proto": "https"' in str(await socket.recv())
        await socket.send("over TLS")
        assert await socket.recv() == "over TLS"


async def test_http_2(front: Front, files: Files) -> None:
    """Browsers get HTTP/2 for pages, with the host that they asked for."""
    await front.start(files.settings)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        front.tls_port,
        ssl=files.context("h2", "http/1.1"),
        server_hostname="chat.test",
    )
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    authority = f"chat.test:{front.tls_port}".encode()
    # GET, https and a path of their own; :authority and :path are literals (RFC 7541, 6.2.2).
    block = b"\x82\x87" + b"\x04\x07/rooms/" + b"\x01" + bytes([len(authority)]) + authority
    frames = frame(4, 0, 0, b"") + frame(1, 5, 1, block)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames)
    body = b""
    async with asyncio.timeout(30):
        while True:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            if head[3] == 0:
                body += payload
                if head[4] & 1:
                    break
    writer.close()
    assert f'"host": "{authority.decode()}"' in body.decode()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_versions(front: Front, files: Files) -> None:
    """TLS 1.2 and 1.3, and nothing older."""
    await front.start(files.settings)
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        _, writer = await asyncio.open_connection(
            "127.0.0.1",
            front.tls_port,
            ssl=files.context(newest=version),
            server_hostname="chat.test",
        )
        assert writer.get_extra_info("ssl_object").version() == name
        writer.close()
    old = files.context(newest=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        await front.ask("/", port=front.tls_port, tls=old)


async def test_redirect(front: Front, files: Files) -> None:
    """Without TLS there is nothing but the way to it; what probes ask for is not there either."""
    await front.start(files.settings)
    for path in ("/", "/rooms/?page=2", SOCKET, "/api/v1/rooms", "/static/site.js"):
        answer = await front.ask(path)
        assert answer.status == 308
        assert answer.headers["Location"] == f"https://chat.test:{front.tls_port}{path}"
    for path in ("/livez", "/readyz", "/metrics", "/drain/"):
        assert (await front.ask(path)).status == 404
    assert (await front.ask("/", headers={"Host": "evil.test"})).status == 400


async def test_proxy_that_has_ended_tls(front: Front, files: Files) -> None:
    """Who comes over https to a proxy of ours is not sent round in a circle."""
    await front.start(files.settings | {"CARILLON_NGINX_PROXIES": "127.0.0.5"})
    https = {"X-Forwarded-Proto": "https"}
    assert (await front.ask("/rooms/", headers=https, source="127.0.0.5")).status == 200
    assert (await front.ask("/rooms/", headers=https, source="127.0.0.6")).status == 308


async def test_renewed_certificate(front: Front, files: Files) -> None:
    """It counts for the next handshake, without a reload."""
    await front.start(files.settings)
    assert (await front.ask("/rooms/", port=front.tls_port, tls=files.context())).status == 200
    files.renew()
    assert (await front.ask("/rooms/", port=front.tls_port, tls=files.context())).status == 200


async def test_other_hosts(front: Front, files: Files) -> None:
    """Another host is refused by nginx itself, over TLS, too."""
    await front.start(files.settings)
    other = {"Host": "evil.test"}
    answer = await front.ask("/", headers=other, port=front.tls_port, tls=files.context())
    assert answer.status == 400


async def test_pair_that_is_none(front: Front, files: Files) -> None:
    """nginx does not start with a key that is another certificate's."""
    files.key.write_text(self_made("chat.test")[1])
    await front.run(files.settings)
    assert front.process is not None
    async with asyncio.timeout(30):
        assert await front.process.wait() != 0
    assert "key values mismatch" in front.errors.read_text()


async def test_file_that_cannot_be_read(front: Front, files: Files) -> None:
    """The sentence says which, and to whom."""
    files.key.unlink()
    await front.run(files.settings)
    assert front.process is not None
    async with asyncio.timeout(30):
        assert await front.process.wait() != 0
    assert "CARILLON_NGINX_TLS_KEY names a file that user" in front.errors.read_text()

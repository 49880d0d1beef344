"""What strangers and broken clients send to the real servers."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.client import Session
from tests.integration.traffic import fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def handshake(
    stack: RunningStack, path: str, headers: dict[str, str], origin: str | None
) -> connect:
    url = stack.url.replace("http", "ws", 1) + path
    return connect(url, additional_headers=headers, origin=origin, proxy=None)


async def status(
    stack: RunningStack, path: str, headers: dict[str, str], origin: str | None
) -> int:
    """Try a handshake that is to be refused, and return with what."""
    with pytest.raises(InvalidStatus) as caught:
        await handshake(stack, path, headers, origin)
    return int(caught.value.response.status_code)


async def test_handshakes_that_are_not_ours_to_accept_are_refused_alike(
    stack: RunningStack,
) -> None:
    """403 for every reason: origin, session, room; the room's existence is not told."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    hidden = fresh_room(alice, members_only=True)
    own = {"Cookie": bob.cookie}
    refused = [
        ("/ws/chat/lobby/", {}, stack.url),
        ("/ws/chat/lobby/", {"Cookie": "carillon_session=forged"}, stack.url),
        ("/ws/chat/lobby/", own, None),
        ("/ws/chat/lobby/", own, "null"),
        ("/ws/chat/lobby/", own, "https://evil.example"),
        ("/ws/chat/lobby/", own, stack.url.replace("http:", "https:")),
        ("/ws/chat/lobby/", own, stack.url.rsplit(":", 1)[0] + ":1"),
        (f"/ws/chat/{hidden}/", own, stack.url),
        ("/ws/chat/no-such-room/", own, stack.url),
        ("/ws/nothing/lobby/", own, stack.url),
    ]
    for path, headers, origin in refused:
        assert await status(stack, path, headers, origin) == 403, (path, origin)


async def test_unknown_paths_are_not_found(stack: RunningStack) -> None:
    """404 to everybody, as no path is a secret; what stands in a known one's place may be."""
    for path in (
        "/ws/chat/lobby%0a/",
        "/ws/chat/%D9%A3/",
        f"/ws/chat/{'x' * 101}/",
        "/ws/chat/lobby",
        "/ws/nothing/",
    ):
        assert await status(stack, path, {}, None) == 404, path


async def test_forged_proxy_headers_change_nothing(stack: RunningStack) -> None:
    """nginx overwrites what a client says about addresses, schemes and paths."""
    bob = Session(stack.url, "bob")
    forged = {
        "Cookie": bob.cookie,
        "Daphne-Root-Path": "/evil",
        "X-Forwarded-For": "6.6.6.6",
        "X-Real-IP": "6.6.6.6",
    }
    async with handshake(stack, "/ws/chat/lobby/", forged, stack.url) as socket:
        assert json.loads(await socket.recv())["type"] == "connection_established"


async def closed_with(socket: ClientConnection) -> int:
    """Return the code that the connection ends with."""
    async with asyncio.timeout(10):
        await socket.wait_closed()
    return socket.close_code or 1006


async def test_frames_that_end_a_connection_end_only_that_one(stack: RunningStack) -> None:
    """Binary is closed with 1003, too large a message with 1009; the neighbour hears all."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    own = {"Cookie": bob.cookie}
    async with open_chat(alice, stack.url, room) as neighbour:
        async with handshake(stack, f"/ws/chat/{room}/", own, stack.url) as socket:
            await socket.send(b"\x00\x01")
            assert await closed_with(socket) == 1003
        async with handshake(stack, f"/ws/chat/{room}/", own, stack.url) as socket:
            await socket.send(json.dumps({"message": "x" * 70_000}))
            assert await closed_with(socket) == 1009
        await send(neighbour, 3)
        await neighbour.wait_for(lambda c: len(c.texts) == 3)
    assert neighbour.texts == ["message 0", "message 1", "message 2"]


async def test_frames_that_are_refused_leave_the_connection_usable(stack: RunningStack) -> None:
    """A typed error for each, then a good message goes through; nothing else was stored."""
    bob = Session(stack.url, "bob")
    room = fresh_room(bob)
    bad = {
        "nope": 107,
        "[]": 107,
        "": 107,
        '{"text":"x"}': 107,
        '{"message":5}': 107,
        '{"message":null}': 107,
        '{"message":"a","message":"b"}': 107,
        '{"message":"a\\u0000b"}': 107,
        '{"message":"\\ud800"}': 107,
        '{"message":""}': 400,
        '{"message":"   "}': 400,
        '{"message":"\\u200b"}': 400,
        json.dumps({"message": "x" * 8_001}): 400,
    }
    async with open_chat(bob, stack.url, room) as client:
        for text, code in bad.items():
            await client.socket.send(text)
            await client.wait_for(lambda c: len(c.of_type("error")) == 1)
            assert client.frames.pop()["code"] == code, text
        await client.send(message="well", username="System", system=True, client_id="good-1")
        await client.wait_for(lambda c: c.texts == ["well"])
    frame = client.of_type("chat")[0]
    assert frame["username"] == "bob"
    assert "system" not in frame
    assert len(bob.http.get(f"/api/v1/rooms/{room}/messages").json()["messages"]) == 1


def test_internal_endpoints_are_not_served_to_the_world(stack: RunningStack) -> None:
    """nginx has never heard of them; on the internal port they answer."""
    for path in ("/metrics", "/livez", "/readyz", "/drain"):
        assert httpx.get(stack.url + path).status_code == 404
        assert httpx.post(stack.url + path).status_code == 404
    for service in ("web", "worker", "beat", "gateway-1", "gateway-2"):
        for path in ("/livez", "/readyz"):
            assert httpx.get(stack.internal_url(service) + path).text == "ok\n"
        assert "carillon_" in httpx.get(stack.internal_url(service) + "/metrics").text


def test_a_gateway_answers_no_http(stack: RunningStack) -> None:
    """It says what it wants instead, at once and without a traceback."""
    for path in ("/anything", "/ws/chat/lobby/", "/drain", "/metrics"):
        answer = httpx.get(stack.gateway_url(1) + path)
        assert answer.status_code == 426
        assert answer.headers["Upgrade"] == "websocket"
        assert httpx.post(stack.gateway_url(1) + path).status_code == 405

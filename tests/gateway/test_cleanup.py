from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from tests.gateway.peer import Peer, eventually, served

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]
# What the gateway hears for itself.
STANDING = {"revocations", "controls"}
PATHS = ("/ws/chat/lobby/", "/ws/notifications/")


def connections() -> float:
    name = "carillon_gateway_connections"
    return REGISTRY.get_sample_value(name, {"transport": "websocket"}) or 0.0


def closed(code: str) -> float:
    name = "carillon_gateway_connections_closed_total"
    labels = {"transport": "websocket", "code": code}
    return REGISTRY.get_sample_value(name, labels) or 0.0


def users() -> float:
    return REGISTRY.get_sample_value("carillon_gateway_users") or 0.0


def gauges() -> dict[str, float]:
    """What the hub says it holds for clients, summed over the namespaces."""
    return {
        family.name: sum(s.value for s in family.samples if s.labels["kind"] not in STANDING)
        for family in REGISTRY.collect()
        if family.name in {"carillon_gateway_channels", "carillon_gateway_subscriptions"}
    }


def assert_empty(gateway: Gateway) -> None:
    assert not served(gateway)
    assert connections() == 0
    assert users() == 0
    assert set(gauges().values()) <= {0.0}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("code", "label"), [(1000, "1000"), (1006, "1006"), (4321, "other")])
async def test_disconnect(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    path: str,
    code: int,
    label: str,
) -> None:
    """However a client goes, nothing of it stays, and its code is counted from a closed set."""
    before = closed(label)
    peer = await Peer(path, cookie_of(alice)).__aenter__()
    assert connections() == users() == 1
    assert gauges()["carillon_gateway_subscriptions"] == len(peer.greeting["positions"])
    await peer.leave(code)
    assert_empty(gateway)
    assert closed(label) == before + 1


@pytest.mark.parametrize("path", [*PATHS, "/ws/chat/nowhere/"])
async def test_refused_handshake(gateway: Gateway, lobby: ChatRoom, path: str) -> None:
    """A refused handshake leaves nothing."""
    assert not await Peer(path).connects()
    assert_empty(gateway)


@pytest.mark.parametrize("path", PATHS)
async def test_cancelled_application(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, path: str
) -> None:
    """A server that cancels the application leaves nothing in the hub."""
    peer = await Peer(path, cookie_of(alice)).__aenter__()
    peer.communicator.future.cancel()
    await asyncio.wait({peer.communicator.future})
    assert_empty(gateway)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("turns", [0, 1, 3, 10, 30])
async def test_cancelled_during_the_handshake(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, path: str, turns: int
) -> None:
    """Cut at any point of the handshake, a connection leaves nothing."""
    peer = Peer(path, cookie_of(alice))
    await peer.communicator.send_input({"type": "websocket.connect"})
    for _ in range(turns):
        await asyncio.sleep(0.001)
    peer.communicator.future.cancel()
    await asyncio.wait({peer.communicator.future})
    # A synchronous handler ends its turn in its thread before its cancellation shows.
    await eventually(lambda: not served(gateway) and connections() == 0)
    assert_empty(gateway)


async def test_gone_before_the_answer(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A client that leaves while its handshake is worked on leaves nothing."""
    for path in PATHS:
        peer = Peer(path, cookie_of(alice))
        await peer.communicator.send_input({"type": "websocket.connect"})
        await peer.leave(1006)
    assert_empty(gateway)


async def test_closed_by_the_server(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A connection that the gateway closes is counted by the gateway's code."""
    before = closed("3501")
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send_bytes(b"x")
        assert await peer.close_code() == 3501
    assert closed("3501") == before + 1
    assert_empty(gateway)


async def test_messages_after_the_end(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Messages that were on their way when the gateway closed are not worked on anymore."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send_bytes(b"x")
        for number in range(5):
            await peer.send(message=f"{number}")
        frames, code = await peer.until_closed()
        assert (frames, code) == ([], 3501)
    assert await gateway.database.run(Message.objects.count) == 0
    assert_empty(gateway)

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from services.gateway.centrifuge.heart import TimerHeart
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from tests.gateway.centrifuge.peer import CentrifugePeer

type CookieOf = Callable[[User], str]

CHANNEL = "chat:lobby"


@pytest.fixture(autouse=True)
def quick(settings: LazySettings) -> None:
    """Pings that come soon."""
    settings.CARILLON_GATEWAY_PING_SECONDS = 0.1
    settings.CARILLON_GATEWAY_PONG_SECONDS = 0.5


async def pings(peer: CentrifugePeer, count: int) -> None:
    """Answer so many pings; the next comes only after the one before was answered."""
    for _ in range(count):
        assert await peer.receive() == {}
        await peer.send("{}")


async def test_who_answers_pings_stays(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """And nobody else."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await pings(peer, 3)
        assert await peer.receive() == {}
        assert await peer.communicator.receive_output(10) == {
            "type": "websocket.close",
            "code": 3012,
            "reason": "no pong",
        }


async def test_pong_does_not_wait_for_commands(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It counts when it comes, however long it takes to do what came before it."""
    free, publish = asyncio.Event(), gateway.commits.publish

    async def slow(*said: Any) -> Any:
        await free.wait()
        return await publish(*said)

    monkeypatch.setattr(gateway.commits, "publish", slow)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        said = [
            peer.command("publish", channel=CHANNEL, data={"message": f"m{number}"})
            for number in range(5)
        ]
        await peer.send("\n".join(said))
        await pings(peer, 3)
        free.set()
        answered = 0
        while answered < 5:
            if (message := await peer.receive()) == {}:
                await peer.send("{}")
            else:
                answered += "publish" in message


async def test_pong_behind_what_is_not_read(
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where so much waits that no more is read, the absence of a pong means nothing."""
    free, judged = asyncio.Event(), asyncio.Event()
    publish, give_up = gateway.commits.publish, TimerHeart._give_up

    async def slow(*said: Any) -> Any:
        await free.wait()
        return await publish(*said)

    def judge(heart: TimerHeart) -> None:
        give_up(heart)
        judged.set()

    monkeypatch.setattr(gateway.commits, "publish", slow)
    monkeypatch.setattr(TimerHeart, "_give_up", judge)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.send(peer.command("publish", channel=CHANNEL, data={"message": "hi"}))
        for _ in range(40):
            await peer.send(peer.command("unsubscribe", channel=CHANNEL))
        assert await peer.receive() == {}
        await peer.send("{}")
        async with asyncio.timeout(10):
            await judged.wait()
        free.set()
        assert "publish" in await peer.receive()
        for _ in range(40):
            assert "unsubscribe" in await peer.receive()
        await pings(peer, 1)


async def test_pong_nobody_asked_for(
    gateway: Gateway, alice: User, cookie_of: CookieOf, settings: LazySettings
) -> None:
    """It is no command."""
    settings.CARILLON_GATEWAY_PING_SECONDS = 25.0
    async with CentrifugePeer(cookie_of(alice)) as peer:
        await peer.send("{}")
        assert await peer.closed() == (3501, "bad request")


async def test_pong_among_commands(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A library may put both into one frame."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        assert await peer.receive() == {}
        await peer.send(peer.command("unsubscribe", channel=CHANNEL) + "\n{}")
        assert (await peer.receive())["unsubscribe"] == {}
        await pings(peer, 1)

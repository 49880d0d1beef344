"""How many connections a user may have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings

from services.gateway.presence import Presence
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.notifications.namespaces import user_channel
from shared.presence.clients import ClientInfo
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer

type CookieOf = Callable[[User], str]


@pytest.fixture(autouse=True)
def three_at_most(settings: LazySettings) -> None:
    settings.CARILLON_GATEWAY_USER_CONNECTIONS = 3


async def refused(peer: CentrifugePeer) -> tuple[int, str]:
    """Try to connect; return how that ended."""
    await peer.opens()
    await peer.send(peer.command("connect"))
    return await peer.closed()


async def test_one_too_many_is_refused(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """For good, and told so; those that are there stay, whatever they speak, and so do others."""
    cookie = cookie_of(alice)
    async with (
        CentrifugePeer(cookie) as one,
        Peer("/ws/chat/lobby/", cookie),
        CentrifugePeer(cookie) as three,
    ):
        assert await refused(CentrifugePeer(cookie)) == (3504, "connection limit")
        plain = Peer("/ws/notifications/", cookie)
        assert await plain.connects()
        assert await plain.close_code() == 3504
        async with CentrifugePeer(cookie_of(bob)):
            for peer in (one, three):
                assert "subscribe" in await peer.ask("subscribe", channel="chat:lobby")


async def test_place_is_free_again(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """Whoever leaves, or was refused, takes no place."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie), CentrifugePeer(cookie):
        async with CentrifugePeer(cookie):
            for _ in range(2):
                assert (await refused(CentrifugePeer(cookie)))[0] == 3504
        async with CentrifugePeer(cookie):
            assert gateway.revocations.count(alice.pk) == 3
    assert gateway.revocations.count(alice.pk) == 0


async def test_no_limit(
    gateway: Gateway, alice: User, cookie_of: CookieOf, settings: LazySettings
) -> None:
    """Zero is any number."""
    settings.CARILLON_GATEWAY_USER_CONNECTIONS = 0
    cookie = cookie_of(alice)
    peers = [CentrifugePeer(cookie) for _ in range(4)]
    for peer in peers:
        await peer.__aenter__()
    for peer in peers:
        await peer.leave()


async def test_those_at_other_gateways_count(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """
    Twice as many are let in over all, as half of them may be of a gateway that was killed.

    Whoever is not let in is to come again later.
    """
    other = Presence(gateway.database, "other")
    channel, cookie = user_channel(alice.pk), cookie_of(alice)
    for name in "abcde":
        other.add(channel, ClientInfo(name, str(alice.pk)))
    await other.tick()
    async with CentrifugePeer(cookie):
        turned_away = CentrifugePeer(cookie)
        await turned_away.opens()
        answer = await turned_away.ask("connect")
        assert (answer["error"]["code"], answer["error"]["temporary"]) == (111, True)
        assert (await turned_away.closed())[0] == 3000
        other.remove(channel, "a", at_once=True)
        await other.tick()
        async with CentrifugePeer(cookie):
            pass
    await other.end()


async def test_half_of_them_are_let_in_whatever_the_others_have(
    gateway: Gateway, alice: User, cookie_of: CookieOf, settings: LazySettings
) -> None:
    """Gateways may have died one after the other, and all that they had come here."""
    settings.CARILLON_GATEWAY_USER_CONNECTIONS = 4
    other = Presence(gateway.database, "other")
    for number in range(40):
        other.add(user_channel(alice.pk), ClientInfo(f"dead {number}", str(alice.pk)))
    await other.tick()
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie), CentrifugePeer(cookie):
        third = CentrifugePeer(cookie)
        await third.opens()
        assert await third.error("connect") == 111
    await other.end()


async def test_who_leaves_the_own_channel_counts_on(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Until the connection ends: nobody has more of them by hearing less."""

    async def num_clients() -> int:
        return (await gateway.presence.stats(channel)).num_clients

    channel, cookie = user_channel(alice.pk), cookie_of(alice)
    async with CentrifugePeer(cookie), CentrifugePeer(cookie) as peer:
        assert await num_clients() == 2
        for _ in range(2):
            await peer.ask("unsubscribe", channel=channel)
            assert await num_clients() == 2
            assert "subscribe" in await peer.ask("subscribe", channel=channel)
        await peer.ask("unsubscribe", channel=channel)
        await peer.leave()
        assert await num_clients() == 1
    assert await num_clients() == 0

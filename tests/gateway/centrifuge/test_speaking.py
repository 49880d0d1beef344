"""Who said it: publications of channels that keep nothing are told with the client they are of."""

from __future__ import annotations

from collections.abc import Callable

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.realtime.publish import publish
from shared.tokens.signing import sign_connection, sign_subscription
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.peer import Peer

type CookieOf = Callable[[User], str]

CHANNEL = "tick:game"


async def test_client_of_a_publication_is_told(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Everybody hears whose it is, its sender included, whatever the data says."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        for peer in (hers, his):
            await peer.ask("subscribe", channel=CHANNEL)
        forged = {"n": 1, "info": {"user": "1", "client": "x"}}
        await hers.ask("publish", channel=CHANNEL, data=forged, info={"user": str(bob.pk)})
        who = {
            "user": str(alice.pk),
            "client": hers.welcome["client"],
            "conn_info": {"username": "alice"},
        }
        for peer in (hers, his):
            assert await peer.publication() == {"data": forged, "info": who}


async def test_of_whom_nobody_hears_it_said(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """A server's publication is nobody's; a plain connection has a user and no name."""
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as peer, Peer("/ws/tick/game/", cookie) as plain:
        await peer.ask("subscribe", channel=CHANNEL)
        await gateway.database.run(publish, CHANNEL, {"n": 0})
        assert await peer.publication() == {"data": {"n": 0}}
        await plain.send(n=1)
        told = {"user": str(alice.pk), "client": "", "conn_info": {"username": "alice"}}
        assert await peer.publication() == {"data": {"n": 1}, "info": told}
        # The plain protocol's frame is the data alone.
        assert await plain.receive_many(2) == [{"n": 0}, {"n": 1}]


async def test_tokens_words_are_told_too(gateway: Gateway, alice: User) -> None:
    """What tokens say of the connection, and of the subscription to this channel."""
    token = sign_connection(alice.pk, 60, info={"name": "Alice"})
    async with CentrifugePeer(origin=None, connect={"token": token}) as peer:
        guest = sign_subscription(alice.pk, CHANNEL, 60, info={"role": "guest"})
        await peer.ask("subscribe", channel=CHANNEL, token=guest)
        await peer.ask("publish", channel=CHANNEL, data={"n": 1})
        told = (await peer.publication())["info"]
        assert (told["conn_info"], told["chan_info"]) == ({"name": "Alice"}, {"role": "guest"})
        await peer.ask("unsubscribe", channel=CHANNEL)
        await peer.ask("subscribe", channel=CHANNEL)
        await peer.ask("publish", channel=CHANNEL, data={"n": 2})
        assert "chan_info" not in (await peer.publication())["info"]


async def test_what_is_kept_says_itself_who_wrote_it(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Live as in history: a log's publications are their data."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        for channel, data in (("chat:lobby", {"message": "hi"}), ("poll:x", {"choice": "yes"})):
            await peer.ask("subscribe", channel=channel)
            await peer.ask("publish", channel=channel, data=data)
            assert "info" not in await peer.publication()
            page = (await peer.ask("history", channel=channel, limit=1))["history"]
            assert "info" not in page["publications"][0]

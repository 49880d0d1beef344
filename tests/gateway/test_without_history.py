from __future__ import annotations

from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime.models import Stream
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


async def test_once_to_everybody_connected(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """Each publication comes once, without a place, to sender and others; no stream is made."""
    async with (
        Peer("/ws/tick/game/", cookie_of(alice)) as hers,
        Peer("/ws/tick/game/", cookie_of(bob)) as his,
    ):
        assert "tick:game" not in hers.greeting["positions"]
        for number in range(3):
            await hers.send(n=number)
        for peer in (hers, his):
            assert await peer.receive_many(3) == [{"n": 0}, {"n": 1}, {"n": 2}]
        # Had anything come twice, it would come before this.
        await his.send(n="last")
        for peer in (hers, his):
            assert await peer.receive() == {"n": "last"}
    assert not await gateway.database.run(Stream.objects.filter(channel="tick:game").exists)


async def test_data_that_cannot_be_published(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """What a namespace passes on and nobody can encode is an error frame, not the end."""
    async with Peer("/ws/tick/game/", cookie_of(alice)) as peer:
        await peer.send('{"a": "\\ud800"}')
        assert (await peer.receive())["code"] == 107
        await peer.send(a="fine")
        assert await peer.receive() == {"a": "fine"}


async def test_mistake_in_a_namespace(
    gateway: Gateway,
    alice: User,
    cookie_of: CookieOf,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a team's class did not foresee is an error frame and a line that names the namespace."""
    async with Peer("/ws/poll/lunch/", cookie_of(alice)) as peer:
        await peer.send(choice=["yes"])
        assert (await peer.receive())["code"] == 100
        await peer.send(choice="yes")
        assert (await peer.receive())["type"] == "vote"
    assert "on_publish of the namespace poll failed." in caplog.text

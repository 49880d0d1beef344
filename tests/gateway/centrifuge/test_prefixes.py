"""Private and user-limited channels, over connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime.namespaces import named
from shared.realtime.publish import publish
from shared.tokens.signing import sign_subscription
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.shared.tokens import makers

type CookieOf = Callable[[User], str]

PRIVATE = "$poll:x"


@pytest.fixture(autouse=True)
def polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls may be private, and limited to users."""
    monkeypatch.setattr(named("poll"), "private_channels", True)
    monkeypatch.setattr(named("poll"), "user_limited_channels", True)


async def test_private_channel_needs_a_token(
    gateway: Gateway, alice: User, bob: User, cookie_of: CookieOf
) -> None:
    """With one it is a channel like any other; without one nothing of it is to be had."""
    async with CentrifugePeer(cookie_of(alice)) as hers, CentrifugePeer(cookie_of(bob)) as his:
        assert await his.error("subscribe", channel=PRIVATE) == 103
        token = sign_subscription(alice.pk, PRIVATE, 60)
        assert "subscribe" in await hers.ask("subscribe", channel=PRIVATE, token=token)
        await hers.ask("publish", channel=PRIVATE, data={"choice": "no"})
        await gateway.database.run(publish, PRIVATE, {"choice": "yes"})
        # The hook votes in the poll of this topic, which is another channel.
        assert (await hers.publication())["data"] == {"choice": "yes"}
        assert len((await hers.ask("history", channel=PRIVATE, limit=-1))["history"]) == 3
        assert await his.error("history", channel=PRIVATE) == 103
        assert await his.error("publish", channel=PRIVATE, data={"choice": "no"}) == 103
        await hers.ask("unsubscribe", channel=PRIVATE)
        assert await hers.error("history", channel=PRIVATE) == 103


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("history", {"limit": -1}),
        ("presence", {}),
        ("presence_stats", {}),
        ("publish", {"data": {"choice": "no"}}),
    ],
)
async def test_token_is_looked_at_before_the_next_command(
    gateway: Gateway, bob: User, cookie_of: CookieOf, method: str, request_: dict[str, Any]
) -> None:
    """One frame with a token that is none, and a command that only a good one permits."""
    await gateway.database.run(publish, PRIVATE, {"choice": "yes"})
    async with CentrifugePeer(cookie_of(bob)) as peer:
        frame = [
            peer.command("subscribe", channel=PRIVATE, token="nonsense"),
            peer.command(method, channel=PRIVATE, **request_),
        ]
        await peer.send("\n".join(frame))
        for number in (2, 3):
            assert (await peer.reply(number))["error"]["code"] == 103


async def test_namespace_without_private_channels(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """No token of ours opens what its class does not have."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        token = sign_subscription(alice.pk, "$tick:x", 60)
        assert await peer.error("subscribe", channel="$tick:x", token=token) == 103
        limited = f"tick:x#{alice.pk}"
        assert await peer.error("subscribe", channel=limited) == 103
        assert await peer.error("publish", channel=limited, data={}) == 103


async def test_limited_channel_is_for_those_it_names(
    gateway: Gateway,
    alice: User,
    bob: User,
    carol: User,
    cookie_of: CookieOf,
    settings: LazySettings,
) -> None:
    """Others need a server's token, which is the permission."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    channel = f"poll:x#{alice.pk},{bob.pk}"
    async with CentrifugePeer(cookie_of(bob)) as his, CentrifugePeer(cookie_of(carol)) as hers:
        assert "subscribe" in await his.ask("subscribe", channel=channel)
        assert "history" in await his.ask("history", channel=channel)
        for method in ("subscribe", "history"):
            assert await hers.error(method, channel=channel) == 103
        assert await hers.error("publish", channel=channel, data={"choice": "no"}) == 103
        ours = sign_subscription(carol.pk, channel, 60)
        assert await hers.error("subscribe", channel=channel, token=ours) == 103
        claims = {"sub": str(carol.pk), "channel": channel, "exp": int(time.time()) + 60}
        theirs = makers.token(**claims)
        assert "subscribe" in await hers.ask("subscribe", channel=channel, token=theirs)


async def test_no_name_lets_nobody_in(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is nobody has no id that could stand there."""
    monkeypatch.setattr(named("poll"), "lets_anonymous_in", True)
    async with CentrifugePeer() as peer:
        assert await peer.error("subscribe", channel="poll:x#1") == 103
        assert await peer.error("subscribe", channel="poll:x#") == 107

"""Clients that are nobody: what they may, and what servers do with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import AbstractUser

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime.actions import do_control
from shared.realtime.controls import Disconnect, Refresh, Unsubscribe
from shared.realtime.namespaces import Outcome, named
from shared.realtime.publish import publish
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.shared.tokens import makers

type CookieOf = Callable[[User], str]

OPEN, CLOSED = "tick:show", "poll:x"


@pytest.fixture
def open_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may hear ticks, and speak in one of the channels."""
    ticks = named("tick")
    monkeypatch.setattr(ticks, "lets_anonymous_in", True)
    monkeypatch.setattr(ticks, "can_subscribe", lambda user, channel: True)

    def said(user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        return Outcome(publish(channel, {"by": user.get_username(), **data}))

    monkeypatch.setattr(ticks, "can_publish", lambda user, channel: channel == OPEN)
    monkeypatch.setattr(ticks, "on_publish", said)


async def test_only_where_a_namespace_lets_them(
    gateway: Gateway, open_ticks: None, alice: User, cookie_of: CookieOf
) -> None:
    """They hear nothing without having asked, and nothing of others; presence has them as ""."""
    async with CentrifugePeer() as peer, CentrifugePeer(cookie_of(alice)) as hers:
        assert "subs" not in peer.welcome
        for each in (peer, hers):
            assert "subscribe" in await each.ask("subscribe", channel=OPEN)
        assert "publish" in await peer.ask("publish", channel=OPEN, data={"n": 1})
        told = {"user": "", "client": peer.welcome["client"]}
        for each in (peer, hers):
            assert await each.publication() == {"data": {"by": "", "n": 1}, "info": told}
        for channel in (CLOSED, "chat:lobby", "announcements:all", f"user:{alice.pk}"):
            assert await peer.error("subscribe", channel=channel) == 103
        assert await peer.error("publish", channel="tick:other", data={}) == 103
        assert await peer.error("publish", channel=CLOSED, data={"choice": "yes"}) == 103
        assert await peer.error("history", channel=CLOSED) == 103
        assert await peer.error("rpc", method="chat.send", data={}) == 103


async def test_cookie_of_nobody(gateway: Gateway, open_ticks: None) -> None:
    """A session that has ended leaves nobody; without such a namespace that is the end."""
    async with CentrifugePeer("sessionid=" + "x" * 32) as peer:
        assert "subscribe" in await peer.ask("subscribe", channel=OPEN)


async def test_token_of_nobody(gateway: Gateway, settings: LazySettings) -> None:
    """A server's token lets them in, and into the channels that it names."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = int(time.time()) + 60
    token = makers.token(sub="", exp=soon, channels=[CLOSED], info={"seat": 7})
    async with CentrifugePeer(origin=None, connect={"token": token}) as peer:
        assert set(peer.welcome["subs"]) == {CLOSED}
        assert await peer.error("subscribe", channel="poll:y") == 103
        one = makers.token(sub="", exp=soon, channel="poll:y")
        assert "subscribe" in await peer.ask("subscribe", channel="poll:y", token=one)
        again = makers.token(sub="", exp=soon + 60, channels=[CLOSED])
        assert (await peer.ask("refresh", token=again))["refresh"]["ttl"] > 60


async def test_controls(
    gateway: Gateway, open_ticks: None, alice: User, cookie_of: CookieOf
) -> None:
    """The user "" is all of them, or the one that is named, and nobody else."""
    async with (
        CentrifugePeer() as one,
        CentrifugePeer() as two,
        CentrifugePeer(cookie_of(alice)) as hers,
    ):
        for peer in (one, two, hers):
            await peer.ask("subscribe", channel=OPEN)
        control = Unsubscribe(user="", channel=OPEN, code=2000, reason="server unsubscribe")
        await gateway.database.run(do_control, control)
        for peer in (one, two):
            assert (await peer.push())["unsubscribe"]["code"] == 2000
        name = one.welcome["client"]
        await gateway.database.run(do_control, Refresh(user="", client=name))
        assert await one.push() == {"refresh": {}}
        await gateway.database.run(do_control, Refresh(user="", client=name, expired=True))
        assert (await one.closed())[0] == 3005
        control = Disconnect(user="", code=3503, reason="force disconnect")
        await gateway.database.run(do_control, control)
        assert await two.closed() == (3503, "force disconnect")
        assert "publish" in await hers.ask("publish", channel=OPEN, data={})


async def test_they_have_no_limit_of_a_users(
    gateway: Gateway, open_ticks: None, settings: LazySettings
) -> None:
    """All of them are nobody, so that one's connections say nothing of another's."""
    settings.CARILLON_GATEWAY_USER_CONNECTIONS = 1
    async with CentrifugePeer(), CentrifugePeer():
        assert gateway.revocations.count(None) == 2
    assert gateway.revocations.count(None) == 0

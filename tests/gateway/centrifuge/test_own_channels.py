"""What clients hear without asking, and what no client hears whatever it asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import AbstractUser

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.realtime import namespaces
from shared.realtime.controls import CONTROLS
from shared.realtime.namespaces import Namespace, register
from shared.realtime.publish import publish
from shared.tokens.signing import sign_connection
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.shared.tokens import makers

type CookieOf = Callable[[User], str]


class Kiosk(Namespace):
    """Everybody has one, and one for all of their name."""

    name = "kiosk"
    history_size = 10
    lets_anonymous_in = True
    fault: Exception | None = None

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return channel != "kiosk:locked"

    def server_side_channels(self, user: AbstractUser) -> Iterator[str]:
        if self.fault is not None:
            raise self.fault
        yield "kiosk:front"
        if not user.is_anonymous:
            yield f"kiosk:{User.objects.get(pk=user.pk).username}"


@pytest.fixture(autouse=True)
def desks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace above, for one test."""
    monkeypatch.setattr(namespaces, "_registry", dict(namespaces._registry))
    register(Kiosk)


async def test_what_a_namespace_has_its_users_hear(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Its hook may ask the database; the client is told of the channels, and recovers in them."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        own = {f"user:{alice.pk}", "announcements:all", "kiosk:front", "kiosk:alice"}
        assert set(peer.welcome["subs"]) == own
        stood = {**peer.welcome["subs"]["kiosk:alice"], "recover": True}
        await gateway.database.run(publish, "kiosk:alice", {"n": 1})
        assert (await peer.publication())["data"] == {"n": 1}
        assert await peer.error("subscribe", channel="kiosk:alice") == 105
    wish = {key: stood.get(key, 0) for key in ("recover", "epoch", "offset")}
    async with CentrifugePeer(cookie_of(alice), connect={"subs": {"kiosk:alice": wish}}) as peer:
        missed = peer.welcome["subs"]["kiosk:alice"]["publications"]
        assert [each["data"] for each in missed] == [{"n": 1}]


async def test_clients_that_are_nobody(gateway: Gateway) -> None:
    """They hear what namespaces have for them that let them in."""
    async with CentrifugePeer() as peer:
        assert set(peer.welcome["subs"]) == {"kiosk:front"}


@pytest.mark.parametrize("fault", [ValueError("a mistake"), None])
async def test_mistake_in_the_hook(
    gateway: Gateway,
    alice: User,
    cookie_of: CookieOf,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception | None,
) -> None:
    """An error of ours, or a channel that is none: the client comes back later."""
    monkeypatch.setattr(Kiosk, "fault", fault)
    if fault is None:
        monkeypatch.setattr(Kiosk, "server_side_channels", lambda self, user: [CONTROLS])
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    assert await peer.error("connect") == 100
    assert (await peer.closed())[0] == 3000


async def test_own_channel_that_is_not_for_its_user(
    gateway: Gateway, alice: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the hook names is no permission."""
    monkeypatch.setattr(Kiosk, "server_side_channels", lambda self, user: ["kiosk:locked"])
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    await peer.send(peer.command("connect"))
    assert (await peer.closed())[0] == 3507


async def test_more_channels_than_a_client_may_hear(
    gateway: Gateway, alice: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for them, too."""
    many = [f"kiosk:{number}" for number in range(127)]
    monkeypatch.setattr(Kiosk, "server_side_channels", lambda self, user: many)
    peer = CentrifugePeer(cookie_of(alice))
    await peer.opens()
    await peer.send(peer.command("connect"))
    assert (await peer.closed())[0] == 3505


@pytest.mark.parametrize("channel", [CONTROLS, "revocations:all", "presence:x", "$controls:all"])
async def test_what_servers_tell_each_other(
    gateway: Gateway, alice: User, cookie_of: CookieOf, settings: LazySettings, channel: str
) -> None:
    """No token opens it, and nobody learns that it is there."""
    settings.CARILLON_TOKEN_SECRETS = [makers.SECRET]
    soon = time.time() + 60
    async with CentrifugePeer(cookie_of(alice)) as peer:
        token = makers.token(sub=str(alice.pk), exp=soon, channel=channel)
        assert await peer.error("subscribe", channel=channel, token=token) == 102
        assert await peer.error("publish", channel=channel, data={}) == 102
        for method in ("subscribe", "history", "presence", "presence_stats"):
            assert await peer.error(method, channel=channel) == 102
    for theirs in (
        makers.token(sub=str(alice.pk), exp=soon, channels=[channel]),
        makers.token(sub=str(alice.pk), exp=soon, subs={channel: {}}),
        sign_connection(alice.pk, 60, channels=[channel]),
    ):
        peer = CentrifugePeer(origin=None)
        await peer.opens()
        await peer.send(peer.command("connect", token=theirs))
        assert (await peer.closed())[0] == 3501

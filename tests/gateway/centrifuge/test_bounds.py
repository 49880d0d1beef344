"""Answers that would be too large for one frame, and for the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.presence.clients import ClientInfo
from shared.realtime import namespaces
from shared.realtime.namespaces import Namespace, register
from shared.realtime.publish import Draft, publish_many
from tests.gateway.centrifuge.peer import CentrifugePeer

type CookieOf = Callable[[User], str]

CHANNEL = "files:a"
PAGE_BYTES = 512 * 1024


class Files(Namespace):
    """Large ones."""

    name = "files"
    history_size = 1_000
    presence = True

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return True


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace above, for one test."""
    monkeypatch.setattr(namespaces, "_registry", dict(namespaces._registry))
    register(Files)


@pytest.mark.parametrize("reverse", [False, True])
async def test_history_of_large_publications(
    gateway: Gateway, alice: User, cookie_of: CookieOf, reverse: bool
) -> None:
    """A page has as many as fit into half a megabyte, and the next one goes on behind it."""
    drafts = [Draft(CHANNEL, {"n": n, "x": "y" * 60_000}) for n in range(20)]
    await gateway.database.run(publish_many, drafts)
    async with CentrifugePeer(cookie_of(alice)) as peer:
        seen: list[int] = []
        since = {}
        while True:
            answer = await peer.ask("history", channel=CHANNEL, limit=-1, reverse=reverse, **since)
            page = answer["history"]
            assert page["offset"] == 20
            if not page["publications"]:
                break
            assert len(page["publications"]) in (8, 4)
            seen += [each["data"]["n"] for each in page["publications"]]
            last = page["publications"][-1]["offset"]
            if reverse and last == 1:
                break
            since = {"since": {"offset": last, "epoch": page["epoch"]}}
    assert seen == (list(range(19, -1, -1)) if reverse else list(range(20)))


async def test_presence_of_a_crowd(gateway: Gateway, alice: User, cookie_of: CookieOf) -> None:
    """More than two hundred are counted, not listed."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        for number in range(200):
            gateway.presence.add(CHANNEL, ClientInfo(f"c{number}", f"{number % 7}"))
        answer = await peer.ask("presence", channel=CHANNEL)
        assert len(answer["presence"]["presence"]) == 200
        gateway.presence.add(CHANNEL, ClientInfo("one more", "1"))
        assert await peer.error("presence", channel=CHANNEL) == 106
        stats = (await peer.ask("presence_stats", channel=CHANNEL))["presence_stats"]
        assert stats == {"num_clients": 201, "num_users": 7}


async def test_presence_with_much_to_tell(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Few clients of which a server tells very much are as many."""
    async with CentrifugePeer(cookie_of(alice)) as peer:
        text = f'"{"x" * 10_000}"'
        for number in range(60):
            gateway.presence.add(CHANNEL, ClientInfo(f"c{number}", f"{number}", text))
        assert await peer.error("presence", channel=CHANNEL) == 106


async def test_connecting_again_with_much_missed(
    gateway: Gateway, alice: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits into one frame is told, of the channels first where least was missed."""
    own = [f"files:{name}" for name in "abcdefghijklmnopqrst"]
    monkeypatch.setattr(Files, "server_side_channels", lambda self, user: own)
    cookie = cookie_of(alice)
    async with CentrifugePeer(cookie) as peer:
        stood = {
            name: {"recover": True, "epoch": each["epoch"], "offset": each.get("offset", 0)}
            for name, each in peer.welcome["subs"].items()
        }
    large = [Draft(name, {"x": "y" * 60_000}) for name in own[1:] for _ in range(2)]
    await gateway.database.run(publish_many, [*large, Draft(own[0], {"n": 1})])
    async with CentrifugePeer(cookie, connect={"subs": stood}) as peer:
        subs = peer.welcome["subs"]
        assert set(subs) == {f"user:{alice.pk}", "announcements:all", *own}
        told = [name for name in own if subs[name].get("recovered")]
        assert told[0] == own[0]
        assert len(told) == 1 + PAGE_BYTES // 120_000
        for name in own:
            each = subs[name]
            assert each["was_recovering"]
            assert len(each.get("publications", ())) == ((1 + (name != own[0])) * (name in told))
            if name not in told:
                assert each["offset"] == 2


async def test_made_subscriptions_that_come_back_with_much_missed(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Those that servers made are in the same frame, and count with the client's own."""
    made = [f"files:{name}" for name in "abcdefghijklmnopqrst"]
    large = [Draft(name, {"x": "y" * 60_000}) for name in made for _ in range(2)]
    await gateway.database.run(publish_many, large)
    stood = {name: {"recover": True, "epoch": "", "offset": 0} for name in made}
    async with CentrifugePeer(cookie_of(alice), connect={"subs": stood}) as peer:
        subs = [peer.welcome["subs"][name] for name in made]
        assert sum("recovered" in each for each in subs) == PAGE_BYTES // 120_000
        assert sum(len(each.get("publications", ())) for each in subs) == 8


async def test_many_channels_with_much_missed(
    gateway: Gateway, alice: User, cookie_of: CookieOf
) -> None:
    """Each has an answer of its own, so each is told; a few at a time."""
    channels = [f"files:{number}" for number in range(40)]
    large = [Draft(name, {"x": "y" * 60_000}) for name in channels for _ in range(2)]
    await gateway.database.run(publish_many, large)
    running = most = 0
    recover = gateway.arrivals.recover

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await recover(*args, **kwargs)
        finally:
            running -= 1

    async with CentrifugePeer(cookie_of(alice)) as peer:
        gateway.arrivals.recover = counted  # type: ignore[method-assign]
        wish = {"recover": True, "epoch": "", "offset": 0}
        commands = [peer.command("subscribe", channel=name, **wish) for name in channels]
        await peer.send("\n".join(commands))
        for _ in channels:
            answer = (await peer.receive())["subscribe"]
            assert answer["recovered"]
            assert len(answer["publications"]) == 2
    assert most == 16

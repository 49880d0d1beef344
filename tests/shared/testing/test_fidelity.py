"""The kit's client beside a connection to the gateway itself: both are told the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.realtime import deployment
from shared.realtime.streams import clear
from shared.testing import CommandRefused, RealtimeClient
from tests.gateway.centrifuge.peer import CentrifugePeer
from tests.gateway.conftest import cookie_of, gateway
from tests.team.actions import do_vote

__all__ = ["cookie_of", "gateway"]

type CookieOf = Callable[[User], str]

pytestmark = pytest.mark.django_db(transaction=True)

BEST = "poll:best"

COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("subscribe", {"channel": BEST}),
    ("subscribe", {"channel": "tick:x"}),
    ("subscribe", {"channel": "chat:lobby"}),
    ("subscribe", {"channel": "chat:backroom"}),
    ("subscribe", {"channel": "chat:missing"}),
    ("subscribe", {"channel": "announcements:all"}),
    ("subscribe", {"channel": "announcements:others"}),
    ("subscribe", {"channel": "controls:all"}),
    ("subscribe", {"channel": "user:0"}),
    ("subscribe", {"channel": "nowhere:x"}),
    ("subscribe", {"channel": "nameless"}),
    ("subscribe", {"channel": "poll:a b"}),
    ("subscribe", {"channel": "poll:ä"}),
    ("subscribe", {"channel": "poll:" + "x" * 300}),
    ("publish", {"channel": BEST, "data": {"choice": "yes"}}),
    ("publish", {"channel": BEST, "data": {"choice": "perhaps"}}),
    ("publish", {"channel": BEST, "data": {}}),
    ("publish", {"channel": BEST, "data": ["yes"]}),
    ("publish", {"channel": "tick:x", "data": {"n": 1}}),
    ("publish", {"channel": "tick:x", "data": {"n": "\ud800"}}),
    ("publish", {"channel": "user:1", "data": {"n": 1}}),
    ("publish", {"channel": "announcements:all", "data": {"n": 1}}),
    ("publish", {"channel": "nowhere:x", "data": {"n": 1}}),
    ("publish", {"channel": "poll:", "data": {"n": 1}}),
    ("publish", {"channel": "chat:backroom", "data": {"message": "let me in"}}),
    ("publish", {"channel": "chat:lobby", "data": {"message": " "}}),
    ("publish", {"channel": "chat:lobby", "data": {"message": 7}}),
    ("rpc", {"method": "chat.send", "data": {"room": "lobby"}}),
    (
        "rpc",
        {
            "method": "chat.send",
            "data": {"room": "backroom", "message": "hello", "client_id": "c1"},
        },
    ),
    ("rpc", {"method": "chat.shout", "data": {}}),
]


@pytest.mark.parametrize(("method", "request_"), COMMANDS)
async def test_commands(
    gateway: Gateway,
    bob: User,
    lobby: ChatRoom,
    backroom: ChatRoom,
    cookie_of: CookieOf,
    method: str,
    request_: dict[str, Any],
) -> None:
    """A command is taken by both, or refused by both with one code."""
    client = await gateway.database.run(RealtimeClient, bob)

    def command() -> int:
        try:
            getattr(client, method)(**request_)
        except CommandRefused as refusal:
            return int(refusal.code)
        return 0

    async with CentrifugePeer(cookie_of(bob)) as peer:
        answer = await peer.ask(method, **request_)
    assert await gateway.database.run(command) == answer.get("error", {}).get("code", 0)


def miss_nothing() -> None:
    pass


def lose_the_log() -> None:
    clear(BEST)


def restore_a_dump() -> None:
    deployment.renew()


@pytest.mark.parametrize("votes", [0, 3])
@pytest.mark.parametrize("happen", [miss_nothing, lose_the_log, restore_a_dump])
async def test_coming_back(
    gateway: Gateway,
    alice: User,
    bob: User,
    staff: User,
    cookie_of: CookieOf,
    votes: int,
    happen: Callable[[], None],
) -> None:
    """The same is heard, missed, recovered or lost; then a ban ends both."""
    run, cookie = gateway.database.run, cookie_of(bob)
    client = await run(RealtimeClient, bob)
    heard: list[Any] = []
    async with CentrifugePeer(cookie) as peer:
        result = (await peer.ask("subscribe", channel=BEST))["subscribe"]
        place = await run(client.subscribe, BEST)
        assert place.position == (result["epoch"], result.get("offset", 0))
        await run(do_vote, alice, "best", "yes")
        publication = await peer.publication()
        heard.append(publication["data"])
    since = {"epoch": result["epoch"], "offset": publication["offset"]}
    await run(client.drop)
    for _ in range(votes):
        await run(do_vote, alice, "best", "no")
    await run(happen)
    async with CentrifugePeer(cookie) as peer:
        result = (await peer.ask("subscribe", channel=BEST, recover=True, **since))["subscribe"]
        resumed = (await run(client.reconnect))[BEST]
        missed = [each["data"] for each in result.get("publications", [])]
        assert resumed.recovered == result.get("recovered", False)
        assert resumed.missed == missed
        await run(do_vote, alice, "best", "yes")
        heard += [*missed, (await peer.publication())["data"]]
        assert await run(client.received, BEST) == heard
        await run(do_ban, staff, bob, "stuffed the ballot box")
        code, reason = await peer.closed()
        ended = await run(lambda: client.disconnected)
        assert ended is not None
        assert (ended.code, ended.reason) == (code, reason)

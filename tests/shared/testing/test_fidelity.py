"""The kit's client beside a connection to the gateway itself: both are told the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.actions import do_ban, do_recheck
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.realtime import deployment, namespaces, rpc
from shared.realtime.exceptions import Refused
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
    ("subscribe", {"channel": "$tick:x"}),
    ("publish", {"channel": "$tick:x", "data": {"n": 1}}),
    ("publish", {"channel": "$tick:x", "data": ["n"]}),
    ("publish", {"channel": "$poll:x", "data": {"choice": "yes"}}),
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


@pytest.fixture
def private_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are ticks that nobody hears without a token."""
    monkeypatch.setattr(namespaces.named("tick"), "private_channels", True)


@pytest.mark.parametrize(("method", "request_"), COMMANDS)
async def test_commands(
    gateway: Gateway,
    bob: User,
    lobby: ChatRoom,
    backroom: ChatRoom,
    cookie_of: CookieOf,
    private_ticks: None,
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


async def test_refusals_of_an_app(
    gateway: Gateway, bob: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever code a hook or a method refuses with is told, and the connection stays."""

    def refuse(*_: Any) -> Any:
        raise Refused(450, "No.")

    monkeypatch.setattr(namespaces.named("poll"), "can_subscribe", refuse)
    monkeypatch.setattr(rpc, "_methods", {"app.refuse": refuse})
    client = await gateway.database.run(RealtimeClient, bob)
    told: list[tuple[int, str]] = []

    def commands() -> None:
        for command in (lambda: client.subscribe(BEST), lambda: client.rpc("app.refuse")):
            with pytest.raises(CommandRefused) as refusal:
                command()
            told.append((refusal.value.code, refusal.value.message))

    async with CentrifugePeer(cookie_of(bob)) as peer:
        answers = [
            await peer.ask("subscribe", channel=BEST),
            await peer.ask("rpc", method="app.refuse"),
        ]
    assert [each["error"] for each in answers] == [{"code": 450, "message": "No."}] * 2
    await gateway.database.run(commands)
    assert told == [(450, "No.")] * 2


async def test_answers_of_an_app(
    gateway: Gateway, bob: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same JSON; what is none is a mistake, and no frame."""
    answer: Any = None
    monkeypatch.setattr(rpc, "_methods", {"app.answer": lambda user, data: answer})
    client = await gateway.database.run(RealtimeClient, bob)
    async with CentrifugePeer(cookie_of(bob)) as peer:
        for each in (None, {"when": datetime(2026, 1, 2, tzinfo=UTC), "text": "é\n\u2028"}, [1.5]):
            answer = each
            told = (await peer.ask("rpc", method="app.answer"))["rpc"].get("data")
            assert await gateway.database.run(client.rpc, "app.answer") == told
        assert told == [1.5]
        for each in (float("nan"), object(), "\ud800"):
            answer = each
            error = (await peer.ask("rpc", method="app.answer"))["error"]
            assert (error["code"], error["temporary"]) == (100, True)
            with pytest.raises(TypeError):
                await gateway.database.run(client.rpc, "app.answer")


async def test_refused_when_it_is_asked_again(
    gateway: Gateway, bob: User, cookie_of: CookieOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that says why somebody may not hear a channel anymore ends the subscription."""

    def refuse(*_: Any) -> Any:
        raise Refused(450, "No.")

    client = await gateway.database.run(RealtimeClient, bob)
    async with CentrifugePeer(cookie_of(bob)) as peer:
        await peer.ask("subscribe", channel=BEST)
        await gateway.database.run(client.subscribe, BEST)
        monkeypatch.setattr(namespaces.named("poll"), "can_subscribe", refuse)
        await gateway.database.run(do_recheck, [bob.pk])
        told = (await peer.push())["unsubscribe"]
        ended = await gateway.database.run(client.unsubscribed, BEST)
        assert ended == (told["code"], told["reason"]) == (2000, "server unsubscribe")

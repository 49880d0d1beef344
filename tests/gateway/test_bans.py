from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.gateway import doubts
from services.gateway.arrivals import Arrivals
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.plain_connection import PlainConnection
from services.gateway.revocations import Revocations
from services.gateway.runtime import Gateway, the_gateway
from shared.accounts.actions import do_ban, do_deactivate, do_delete_user
from shared.accounts.models import User
from shared.accounts.namespaces import REVOCATIONS
from shared.chat.models import ChatRoom, Message
from shared.realtime import deployment, streams
from shared.realtime.models import Publication
from tests.gateway.peer import Peer, eventually

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]

ENDPOINTS = ("/ws/chat/lobby/", "/ws/notifications/", "/ws/poll/lunch/")


def ban(staff: User, user: User) -> None:
    do_ban(staff, user, "spam")


def deactivate_in_silence(user: User) -> None:
    """Nothing is published, as when a revocation was trimmed before it was heard."""
    User.objects.filter(pk=user.pk).update(is_active=False)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"carillon_gateway_{name}", labels) or 0.0


def closed() -> float:
    return value("connections_closed_total", transport="websocket", code="4503")


def heard(gateway: Gateway) -> int:
    """How far the gateway has got in the stream of revocations."""
    live = gateway.repair.hub.get(REVOCATIONS)
    return live.position.offset if live is not None and live.position is not None else 0


@asynccontextmanager
async def another_gateway(
    settings: Settings, gateway: Gateway, *, database: DatabaseThreads | None = None, **changes: Any
) -> AsyncIterator[Gateway]:
    """Put a gateway with other settings, or whose revocations are read otherwise, in its place."""
    await gateway.stop()
    the_gateway.cache_clear()
    for name, changed in changes.items():
        setattr(settings, name, changed)
    made = the_gateway()
    if database is not None:
        made.revocations = Revocations(made.repair, database)
    made.start()
    try:
        yield made
    finally:
        await made.stop()
        if database is not None:
            database.close()


@pytest.mark.parametrize(
    "revoke",
    [ban, do_deactivate, lambda staff, user: do_delete_user(user)],
    ids=["banned", "deactivated", "deleted"],
)
async def test_all_connections_end(
    gateway: Gateway,
    staff: User,
    alice: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    revoke: Callable[[User, User], None],
) -> None:
    """All of the user's connections end with 4503, nobody else's, and no new one is let in."""
    before = closed()
    cookie = cookie_of(bob)
    mine = [Peer(path, cookie) for path in (*ENDPOINTS, ENDPOINTS[0])]
    others = [Peer(path, cookie_of(alice)) for path in ENDPOINTS]
    for peer in (*mine, *others):
        await peer.__aenter__()
    assert value("users") == 2
    await gateway.database.run(revoke, staff, bob)
    assert [await peer.close_code() for peer in mine] == [4503] * len(mine)
    assert closed() == before + len(mine)
    assert value("users") == 1
    for path in ENDPOINTS:
        assert not await Peer(path, cookie).connects()
    # Somebody else's go on.
    await others[0].send(message="he is gone")
    assert (await others[0].receive())["message"] == "he is gone"
    for peer in others:
        await peer.leave()
    assert value("users") == 0


async def test_nothing_comes_after_the_ban(
    gateway: Gateway, staff: User, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """What others say after it does not reach who was banned."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        await gateway.database.run(ban, staff, bob)
        await eventually(lambda: heard(gateway) == 1)
        await hers.send(message="now we can talk")
        assert (await hers.receive())["message"] == "now we can talk"
        assert await his.until_closed() == ([], 4503)


async def test_without_bells(
    gateway: Gateway,
    staff: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
) -> None:
    """What no bell tells is found by the head check."""
    changes = {"CARILLON_BROKER_BELLS": False, "CARILLON_GATEWAY_HEAD_CHECK_SECONDS": 0.1}
    async with (
        another_gateway(settings, gateway, **changes) as checking,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as peer,
    ):
        await checking.database.run(ban, staff, bob)
        assert await peer.close_code() == 4503


@pytest.mark.parametrize("path", ["/ws/chat/lobby/", "/ws/poll/lunch/", "/ws/tick/game/"])
async def test_message_that_comes_before_the_revocation(
    gateway: Gateway,
    staff: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
    path: str,
) -> None:
    """The database is asked for each message, whatever the namespace: nothing is published."""
    settings.CARILLON_BROKER_BELLS = False
    async with Peer(path, cookie_of(bob)) as peer:
        await gateway.database.run(ban, staff, bob)
        count = await gateway.database.run(Publication.objects.count)
        await peer.send(message="a last word", choice="yes")
        frames, code = await peer.until_closed()
        assert ([(f["type"], f["code"]) for f in frames], code) == ([("error", 103)], 4503)
        assert await gateway.database.run(Publication.objects.count) == count
        assert await gateway.database.run(Message.objects.count) == 0


async def test_stream_that_cannot_be_continued(
    gateway: Gateway,
    alice: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
) -> None:
    """After a restore the database is asked about everybody who is connected."""
    async with (
        another_gateway(settings, gateway, CARILLON_GATEWAY_HEAD_CHECK_SECONDS=0.1) as checking,
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/notifications/", cookie_of(bob)) as his,
    ):
        await checking.database.run(deactivate_in_silence, bob)
        await checking.database.run(deployment.renew)
        frames, code = await his.until_closed()
        assert code == 4503
        assert {frame["type"] for frame in frames} <= {"reset"}
        # What is stored before it belongs to what she then loads, and does not come by itself.
        frames, code = await hers.until_closed()
        resets = {(each["type"], each["channel"]) for each in frames}
        assert resets == {("reset", "announcements:all"), ("reset", "chat:lobby")}
        # Whatever servers wanted of her meanwhile may have been missed.
        assert code == 3011


class Interrupted(DatabaseThreads):
    """Something happens just before a catch-up is read, or just after."""

    def __init__(self, act: Callable[[], None], *, before: bool) -> None:
        super().__init__()
        self._act = act
        self._before = before

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if (call.__module__, call.__name__) != ("services.gateway.arrivals", "_heads"):
            return await super().run(call, *args, **kwargs)
        if self._before:
            await super().run(self._act)
        answer = await super().run(call, *args, **kwargs)
        if not self._before:
            await super().run(self._act)
            await eventually(lambda: heard(the_gateway()) == 1)
        return answer


@pytest.mark.parametrize("before", [True, False], ids=["before-the-read", "after-the-read"])
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_banned_during_the_handshake(
    gateway: Gateway,
    staff: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    path: str,
    before: bool,
) -> None:
    """Whether the ban comes before the read of the handshake or after it, it is refused."""
    cookie = cookie_of(bob)
    interrupted = Interrupted(lambda: ban(staff, bob), before=before)
    gateway.arrivals = Arrivals(interrupted)
    assert not await Peer(path, cookie).connects()
    interrupted.close()
    assert value("users") == 0


async def test_banned_while_the_handshake_is_answered(
    gateway: Gateway, staff: User, bob: User, lobby: ChatRoom
) -> None:
    """Accepted at the moment of the ban, a connection is closed before its greeting."""
    sent: list[Mapping[str, Any]] = []

    async def send(event: Mapping[str, Any]) -> None:
        if event["type"] == "websocket.accept":
            await gateway.database.run(ban, staff, bob)
            await eventually(lambda: heard(gateway) == 1)
        sent.append(event)

    connection = PlainConnection(gateway, bob, "chat", {}, send)
    await connection.open({lobby.channel: None})
    await eventually(lambda: len(sent) == 2)
    assert [event["type"] for event in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 4503
    connection.close(1006)


class AwayAtFirst(DatabaseThreads):
    """Does not answer before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = False
        self.asked = 0

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        self.asked += 1
        if not self.may_answer:
            raise DatabaseAway("not yet")
        return await super().run(call, *args, **kwargs)


async def test_database_away_at_the_start(
    gateway: Gateway,
    staff: User,
    alice: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever was banned before the stream could be read is found when it can, others later."""
    monkeypatch.setattr(doubts, "_LONGEST_PAUSE_SECONDS", 0.01)
    database = AwayAtFirst()
    async with (
        another_gateway(settings, gateway, database=database) as late,
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        await late.database.run(ban, staff, bob)
        await eventually(lambda: database.asked > 2)
        database.may_answer = True
        assert await his.close_code() == 4503
        await late.database.run(ban, staff, alice)
        assert await hers.close_code() == 4503


async def test_database_away_when_all_must_be_asked_for(
    gateway: Gateway,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question that gets no answer is asked again until it does."""
    monkeypatch.setattr(doubts, "_LONGEST_PAUSE_SECONDS", 0.01)
    database = AwayAtFirst()
    database.may_answer = True
    async with (
        another_gateway(settings, gateway, database=database) as served,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as peer,
    ):
        await eventually(lambda: served.repair.hub.get(REVOCATIONS).position is not None)
        database.may_answer = False
        await served.database.run(deactivate_in_silence, bob)
        before = database.asked
        served.revocations.send('{"type":"reset"}')
        await eventually(lambda: database.asked > before + 2)
        database.may_answer = True
        assert await peer.close_code() == 4503


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"redacted"}',
        '{"type":"revoked"}',
        '{"type":"revoked","user":"bob","code":4503}',
        '{"type":"revoked","user":1,"code":4999}',
        '{"type":"revoked","user":1,"code":[]}',
    ],
)
async def test_revocation_of_another_version(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf, frame: str
) -> None:
    """What is not understood makes the gateway look, and ends nobody who is active."""
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        await gateway.database.run(deactivate_in_silence, bob)
        gateway.revocations.send(frame)
        assert await his.close_code() == 4503
        await hers.send(message="still here")
        assert (await hers.receive())["message"] == "still here"


async def test_served_again_after_a_failure(
    gateway: Gateway,
    staff: User,
    bob: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error that nobody foresaw leaves nothing in the hub, and the stream is served anew."""

    class Failing(AwayAtFirst):
        async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
            self.asked += 1
            if call is streams.touch and self.asked == 1:
                raise RuntimeError("nobody foresaw this")
            return await DatabaseThreads.run(self, call, *args, **kwargs)

    database = Failing()
    monkeypatch.setattr("services.gateway.runtime._RESTART_SECONDS", 0.01)
    async with (
        another_gateway(settings, gateway, database=database) as again,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as peer,
    ):
        await eventually(lambda: database.asked >= 2)
        assert value("subscriptions", kind="revocations") == 1
        await again.database.run(ban, staff, bob)
        async with asyncio.timeout(5):
            assert await peer.close_code() == 4503

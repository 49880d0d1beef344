from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from services.gateway.arrivals import Arrivals
from services.gateway.database import DatabaseThreads
from services.gateway.runtime import Gateway
from services.gateway.subscriber import Subscriber
from shared.accounts.models import User
from shared.chat.actions import do_delete_message, do_send_message
from shared.chat.models import ChatRoom
from shared.realtime import deployment, streams
from shared.realtime.history import RECOVERY_PUBLICATIONS
from shared.realtime.models import Publication, Stream
from shared.realtime.publish import Draft, publish_many
from tests.gateway.peer import Peer, eventually

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


def since(place: dict[str, object]) -> str:
    return f"/ws/chat/lobby/?since={place['epoch']}.{place['offset']}"


def say(user: User, first: int, last: int) -> None:
    for number in range(first, last + 1):
        do_send_message(user, "lobby", f"number {number}")


async def test_exactly_what_was_missed(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Who comes back with its position gets what follows it, once and in order, then live."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        await gateway.database.run(say, alice, 1, 3)
        last = (await peer.receive_many(3))[-1]
    await gateway.database.run(say, alice, 4, 8)
    async with Peer(since(last), cookie_of(bob)) as peer:
        position = {"epoch": last["epoch"], "offset": last["offset"]}
        assert peer.greeting["positions"]["chat:lobby"] == position
        missed = await peer.receive_many(5)
        assert [frame["message"] for frame in missed] == [f"number {n}" for n in range(4, 9)]
        assert [frame["offset"] for frame in missed] == [4, 5, 6, 7, 8]
        await peer.send(message="back")
        assert (await peer.receive())["offset"] == 9


async def test_nothing_missed(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """At the head there is nothing to catch up, and no reset."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(message="one")
        last = await peer.receive()
    async with Peer(since(last), cookie_of(alice)) as peer:
        assert peer.greeting["positions"]["chat:lobby"]["offset"] == 1
        await peer.send(message="two")
        assert (await peer.receive())["message"] == "two"


async def test_deleted_meanwhile(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A message deleted before anybody read it is caught up as deleted, never with its content."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        start = peer.greeting["positions"]["chat:lobby"]
    sent = await gateway.database.run(do_send_message, alice, "lobby", "secret")
    await gateway.database.run(do_delete_message, alice, sent.message.pk)
    async with Peer(since(start), cookie_of(alice)) as peer:
        frames = await peer.receive_many(2)
        assert [frame["type"] for frame in frames] == ["deleted", "deleted"]
        assert [frame["offset"] for frame in frames] == [1, 2]
        assert "secret" not in str(frames)


@pytest.mark.parametrize(
    "position",
    [
        "{epoch}.99",
        "{epoch}.-1",
        "{epoch}.1e3",
        "{epoch}.01",
        "{epoch}.99999999999999999999999",
        "{epoch}.٣",
        "{epoch}",
        "{epoch}.",
        ".1",
        "abcd-0123.1",
        "",
        "%00.1",
        "%ff%fe",
        "1.2.3",
        "{epoch}.1%0a",
    ],
)
async def test_position_nobody_can_recover_from(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, position: str
) -> None:
    """A future, foreign or malformed position is answered by one reset; live frames go on."""
    await gateway.database.run(say, alice, 1, 2)
    epoch = (await gateway.database.run(streams.touch, "chat:lobby")).position.epoch
    path = f"/ws/chat/lobby/?since={position.format(epoch=epoch)}"
    async with Peer(path, cookie_of(alice)) as peer:
        assert await peer.receive() == {
            "type": "reset",
            "channel": "chat:lobby",
            "epoch": epoch,
            "offset": 2,
        }
        assert peer.greeting["positions"]["chat:lobby"] == {"epoch": epoch, "offset": 2}
        await peer.send(message="live")
        assert (await peer.receive())["offset"] == 3


async def test_trimmed_away(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """When part of what was missed is not kept anymore, none of it is given: reset."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        start = peer.greeting["positions"]["chat:lobby"]
    await gateway.database.run(say, alice, 1, 5)
    await gateway.database.run(Publication.objects.filter(offset__lte=2).delete)
    async with Peer(since(start), cookie_of(alice)) as peer:
        frame = await peer.receive()
        assert (frame["type"], frame["offset"]) == ("reset", 5)


async def test_too_much_missed(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Beyond the bound of a recovery the client is told to read history instead."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        start = peer.greeting["positions"]["chat:lobby"]
    drafts = [Draft("chat:lobby", {"type": "chat"})] * (RECOVERY_PUBLICATIONS + 1)
    await gateway.database.run(publish_many, drafts)
    async with Peer(since(start), cookie_of(alice)) as peer:
        assert (await peer.receive())["type"] == "reset"
    late = {**start, "offset": 1}
    async with Peer(since(late), cookie_of(alice)) as peer:
        frames = await peer.receive_many(RECOVERY_PUBLICATIONS)
        assert [f["offset"] for f in frames] == list(range(2, RECOVERY_PUBLICATIONS + 2))


async def test_restored_database(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """After `realtime_restored` no client continues a position of before."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(message="one")
        last = await peer.receive()
    await gateway.database.run(deployment.renew)
    async with Peer(since(last), cookie_of(alice)) as peer:
        frame = await peer.receive()
        assert frame["type"] == "reset"
        assert frame["epoch"] != last["epoch"]


async def test_coming_back_while_others_write(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Clients that join at any moment of a busy room get each message once, in order."""
    count, clients = 60, 8
    cookie = cookie_of(bob)
    async with Peer("/ws/chat/lobby/", cookie) as peer:
        path = since(peer.greeting["positions"]["chat:lobby"])

    async def follow(after: int) -> list[int]:
        async with Peer(path, cookie) as watcher:
            await watcher.receive_many(after)
        async with Peer(path, cookie) as peer:
            return [frame["offset"] for frame in await peer.receive_many(count)]

    writing = asyncio.create_task(asyncio.to_thread(_say_and_close, alice, count))
    heard = await asyncio.gather(*(follow(number * 6) for number in range(clients)))
    await writing
    assert heard == [list(range(1, count + 1))] * clients


def _say_and_close(user: User, count: int) -> None:
    from django.db import connection

    try:
        say(user, 1, count)
    finally:
        connection.close()


async def test_much_was_missed(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Half a megabyte of catch-up is given, not mistaken for a reader that is slow."""
    async with Peer("/ws/chat/lobby/", cookie_of(bob)) as peer:
        start = peer.greeting["positions"]["chat:lobby"]

    def say_much() -> None:
        for number in range(60):
            do_send_message(alice, "lobby", str(number).rjust(8_000, "x"))

    await gateway.database.run(say_much)
    async with Peer(since(start), cookie_of(bob)) as peer:
        frames = await peer.receive_many(60)
        assert [frame["offset"] for frame in frames] == list(range(1, 61))
        await peer.send(message="still here")
        assert (await peer.receive())["message"] == "still here"


class SlowFirstAnswer(DatabaseThreads):
    """The first catch-up that is read reaches its asker only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.read = asyncio.Event()
        self.may_arrive = asyncio.Event()

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        answer = await super().run(call, *args, **kwargs)
        if call.__name__ == "_heads" and not self.read.is_set():
            self.read.set()
            await self.may_arrive.wait()
        return answer


class Listener:
    wire = None

    def __init__(self) -> None:
        self.frames: list[dict[str, object]] = []

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def send(self, frame: str) -> None:
        self.frames.append(json.loads(frame))


async def test_two_first_readers_of_a_channel(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom
) -> None:
    """The one whose answer comes later, from an earlier read, misses nothing in between."""
    await gateway.database.run(say, alice, 1, 4)
    head = await gateway.database.run(streams.touch, "chat:lobby")
    where = {"chat:lobby": head.position}
    database = SlowFirstAnswer()
    slow, quick = (Subscriber(gateway.repair, Arrivals(database)) for _ in range(2))
    first, second = Listener(), Listener()

    preparing = asyncio.create_task(slow.prepare(alice, where))
    await database.read.wait()
    await gateway.database.run(say, alice, 5, 6)
    await quick.prepare(bob, where)
    quick.complete(second)
    database.may_arrive.set()
    await preparing
    slow.complete(first)
    await gateway.database.run(say, alice, 7, 7)
    for listener in (first, second):
        await eventually(lambda listener=listener: len(listener.frames) >= 4)
        assert [frame.get("offset") for frame in listener.frames[1:]] == [5, 6, 7]
        assert all(frame["type"] == "chat" for frame in listener.frames[1:])
    slow.leave(first)
    quick.leave(second)
    database.close()


async def test_log_that_went_back_while_people_are_there(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Between a restore and its being told, whoever comes is greeted in time, and told to read."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as staying:
        await gateway.database.run(say, alice, 1, 6)
        place = (await staying.receive_many(6))[2]

        def go_back() -> None:
            Publication.objects.filter(offset__gt=3).delete()
            Stream.objects.filter(channel="chat:lobby").update(head=3)

        await gateway.database.run(go_back)
        async with Peer(since(place), cookie_of(bob)) as coming:
            assert (await coming.receive())["type"] == "reset"

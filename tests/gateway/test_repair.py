from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.gateway.database import DatabaseThreads
from services.gateway.repair import Repair
from services.gateway.runtime import Gateway, the_gateway
from shared.accounts.models import User
from shared.broker import bell
from shared.broker.wire import Published
from shared.chat.actions import do_send_message
from shared.chat.models import ChatRoom
from shared.realtime import deployment, streams
from shared.realtime.models import Publication, Stream
from tests.gateway.peer import Peer, served

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


def say(user: User, *texts: str) -> Published:
    return [do_send_message(user, "lobby", text).published for text in texts][-1]


def gaps(cause: str) -> float:
    return REGISTRY.get_sample_value("carillon_gateway_gaps_total", {"cause": cause}) or 0.0


@pytest.fixture
def without_bells(settings: Settings) -> None:
    """What is committed rings no bell."""
    settings.CARILLON_BROKER_BELLS = False


@pytest.fixture
async def checking(
    settings: Settings, transactional_db: None, gateway: Gateway
) -> AsyncIterator[Gateway]:
    """A gateway that compares its channels with the log ten times a second."""
    await gateway.stop()
    the_gateway.cache_clear()
    settings.CARILLON_GATEWAY_HEAD_CHECK_SECONDS = 0.1
    made = the_gateway()
    made.start()
    yield made
    await made.stop()


async def test_lost_bells(
    without_bells: None, checking: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """What no bell tells is found by the head check, the last message of a burst as well."""
    before = gaps("head_check")
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await checking.database.run(say, alice, "one", "two")
        assert [f["message"] for f in await peer.receive_many(2)] == ["one", "two"]
        await checking.database.run(say, alice, "three")
        assert (await peer.receive())["offset"] == 3
    assert gaps("head_check") >= before + 2


async def test_lost_bell_in_between(
    without_bells: None, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A bell that comes early shows the hole before it, which is read from the log."""
    before = gaps("early")
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        last = await gateway.database.run(say, alice, "one", "two", "three")
        gateway.repair.hub.accept(last)
        frames = await peer.receive_many(3)
        assert [frame["message"] for frame in frames] == ["one", "two", "three"]
    assert gaps("early") == before + 1


async def test_bells_that_overtake(
    without_bells: None, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Bells in another order are put right without reading the log, and repeats are dropped."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        bells = [await gateway.database.run(say, alice, text) for text in "abc"]
        before = gaps("early")
        for each in (bells[2], bells[0], bells[0], bells[2], bells[1], bells[1]):
            gateway.repair.hub.accept(each)
        assert [frame["message"] for frame in await peer.receive_many(3)] == ["a", "b", "c"]
        await peer.send(message="d")
        assert (await peer.receive())["message"] == "d"
        assert gaps("early") == before


class Counting(DatabaseThreads):
    """Notes how often channels' logs are read."""

    pages = 0

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        self.pages += call.__name__ == "_page_after"
        return await super().run(call, *args, **kwargs)


async def test_crowd_that_is_ahead_of_the_channel(
    without_bells: None, gateway: Gateway, alice: User, lobby: ChatRoom
) -> None:
    """Many who have read further than the channel has got have it brought there by one read."""
    database = Counting()
    repair = Repair(database, bells_are_down=lambda: False)
    live = repair.hub.open("chat:lobby")
    hold = live.hold()
    before = await database.run(streams.touch, "chat:lobby")
    live.start(before.stream_id, before.position)
    await database.run(say, alice, "one", "two", "three")
    head = (await database.run(streams.touch, "chat:lobby")).position
    await asyncio.gather(*(repair.level(live, head) for _ in range(100)))
    assert live.position == head
    assert [each.offset for each in hold.publications] == [1, 2, 3]
    assert database.pages == 1
    database.close()


async def test_hole_that_was_trimmed(
    without_bells: None, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A hole that the log cannot fill anymore is told, not skipped."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        last = await gateway.database.run(say, alice, "one", "two", "three")
        await gateway.database.run(Publication.objects.filter(offset=1).delete)
        gateway.repair.hub.accept(last)
        frame = await peer.receive()
        assert (frame["type"], frame["offset"]) == ("reset", 3)


async def test_database_restored_and_told(
    checking: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """After a restore and `realtime_restored` whoever is connected is told to read again."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await checking.database.run(say, alice, "one", "two", "three")
        frames = await peer.receive_many(3)
        await checking.database.run(go_back, 1)
        await checking.database.run(deployment.renew)
        resets = await peer.receive_many(2)
        # Which of the two happened first the head check may see by itself.
        last = [frame for frame in resets if frame["channel"] == "chat:lobby"][-1]
        while last["epoch"] == frames[0]["epoch"]:
            last = await peer.receive()
        assert (last["type"], last["offset"]) == ("reset", 1)
        await peer.send(message="again")
        while (frame := await peer.receive())["type"] != "chat":
            assert frame["channel"] == "announcements:all"
        assert (frame["epoch"], frame["offset"]) == (last["epoch"], 2)


async def test_database_went_back_in_silence(
    checking: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A head below what was delivered is noticed although nobody told of a restore."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await checking.database.run(say, alice, "one", "two", "three")
        await peer.receive_many(3)
        await checking.database.run(go_back, 1)
        frame = await peer.receive()
        assert (frame["type"], frame["offset"]) == ("reset", 1)


def go_back(offset: int) -> None:
    """Leave the database as an older dump had it."""
    Publication.objects.filter(offset__gt=offset).delete()
    Stream.objects.filter(channel="chat:lobby").update(head=offset)


async def test_foreign_epoch(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A bell of another numbering makes the gateway look; if nothing changed, nothing happens."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        gateway.repair.hub.accept(Published("chat:lobby", "other-epoch", 1, "{}", 0.0))
        await peer.send(message="goes on")
        assert (await peer.receive())["message"] == "goes on"


async def test_bell_of_a_channel_nobody_hears(
    gateway: Gateway, alice: User, lobby: ChatRoom
) -> None:
    """Bells for channels without readers here cost nothing and leave nothing."""
    await gateway.database.run(say, alice, "to nobody")
    bell.ring([Published("poll:best", "e", 1, "{}", 0.0)])
    assert not served(gateway)

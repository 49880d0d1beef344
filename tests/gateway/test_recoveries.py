"""Recoveries: a crowd that comes back shares what is read for it, and each gets its own part."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from random import Random
from weakref import ref

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from services.gateway.arrivals import Arrivals
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.recoveries import Recoveries, Recovery
from services.gateway.runtime import Gateway
from services.gateway.subscriber import Subscriber
from shared.accounts.models import User
from shared.chat.models import ChatRoom
from shared.realtime import streams
from shared.realtime.history import RECOVERY_BYTES, heads_of
from shared.realtime.models import Publication
from shared.realtime.positions import Position
from shared.realtime.publish import Draft, publish_many
from shared.realtime.streams import Head
from tests.gateway.peer import eventually

pytestmark = pytest.mark.django_db(transaction=True)

CHANNEL = "chat:lobby"
CROWD = 2_000


def say(count: int, size: int = 0) -> None:
    publish_many([Draft(CHANNEL, {"type": "chat", "text": "x" * size})] * count)


def reads(result: str) -> float:
    name = "carillon_gateway_recovery_reads_total"
    return REGISTRY.get_sample_value(name, {"result": result}) or 0.0


def offsets_of(recovery: Recovery) -> list[int] | None:
    return None if recovery.missed is None else [each.offset for each in recovery.missed]


class HeldUp(DatabaseThreads):
    """What was read of logs reaches those who asked when it may, or never."""

    def __init__(self) -> None:
        super().__init__()
        # How many reads have begun; what becomes of them.
        self.begun = 0
        self.may_arrive = asyncio.Event()
        self.is_away = False

    async def run[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        answer = await super().run(call, *args, **kwargs)
        if call.__name__ == "_pages":
            self.begun += 1
            await self.may_arrive.wait()
            if self.is_away:
                raise DatabaseAway("gone")
        return answer


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[HeldUp]:
    made = HeldUp()
    yield made
    made.close()


class Asking:
    """Clients of one channel that come back."""

    def __init__(self, database: DatabaseThreads) -> None:
        self._database = database
        self.recoveries = Recoveries(database)

    async def begin(self, *offsets: int) -> list[asyncio.Task[Recovery]]:
        """Have some ask in the same moment, each from its own place."""
        heads = await self._database.run(heads_of, {CHANNEL})
        return [asyncio.create_task(self._recover(each, heads)) for each in offsets]

    async def ask(self, *offsets: int) -> list[Recovery]:
        """Return what they are told."""
        return await asyncio.gather(*await self.begin(*offsets))

    async def _recover(self, offset: int, heads: dict[str, Head]) -> Recovery:
        since = {CHANNEL: Position("", offset)}
        return (await self.recoveries.recover(since, heads))[CHANNEL]


class Listener:
    """A member of a channel's group that keeps what it is told."""

    wire = None

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.kinds: set[str] = set()

    def send_catch_up(self, frames: Sequence[str]) -> None:
        for frame in frames:
            self.send(frame)

    def send(self, frame: str) -> None:
        message = json.loads(frame)
        self.kinds.add(message["type"])
        if "offset" in message:
            self.offsets.append(message["offset"])


async def test_crowd_that_comes_back_while_others_write(
    gateway: Gateway, alice: User, lobby: ChatRoom
) -> None:
    """Two thousand, each from another place: all get all that follows it, once and in order."""
    random = Random(5)
    await gateway.database.run(say, 300)
    epoch = (await gateway.database.run(streams.touch, CHANNEL)).position.epoch
    before = reads("read"), reads("shared")
    listeners: dict[Listener, int] = {}
    arrivals = Arrivals(gateway.database)

    async def come(offset: int) -> None:
        await asyncio.sleep(random.random() / 2)
        subscriber, listener = Subscriber(gateway.repair, arrivals), Listener()
        await subscriber.prepare(alice, {CHANNEL: Position(epoch, offset)})
        subscriber.complete(listener)
        listeners[listener] = offset

    async def write() -> None:
        while len(listeners) < CROWD:
            await gateway.database.run(say, random.randint(1, 3))

    writing = asyncio.create_task(write())
    await asyncio.gather(*(come(random.randint(0, 300)) for _ in range(CROWD)))
    await writing
    head = (await gateway.database.run(streams.touch, CHANNEL)).position.offset
    await eventually(lambda: all(each.offsets[-1] == head for each in listeners))
    for listener, offset in listeners.items():
        assert listener.offsets == list(range(offset + 1, head + 1))
        assert listener.kinds == {"connection_established", "chat"}
    read, shared = reads("read") - before[0], reads("shared") - before[1]
    assert read + shared >= CROWD
    assert read < CROWD / 10


async def test_one_read_for_all_positions(database: HeldUp, lobby: ChatRoom) -> None:
    """Those who ask together share a read, and each gets what follows its own position."""
    asking = Asking(database)
    database.may_arrive.set()
    await database.run(say, 20)
    found = await asking.ask(3, 20, 0, 19, 21)
    wanted = [list(range(4, 21)), [], list(range(1, 21)), [20], None]
    assert [offsets_of(each) for each in found] == wanted
    assert database.begun == 1


async def test_one_read_of_a_channel_at_a_time(database: HeldUp, lobby: ChatRoom) -> None:
    """Those who come while a read is under way wait for its end, and share the next one."""
    asking = Asking(database)
    await database.run(say, 4)
    [first] = await asking.begin(0)
    await eventually(lambda: database.begun == 1)
    before = reads("read"), reads("shared")
    later = [*await asking.begin(1, 2), *await asking.begin(3)]
    await eventually(lambda: reads("shared") == before[1] + 2)
    assert (reads("read"), database.begun) == (before[0] + 1, 1)
    database.may_arrive.set()
    assert offsets_of(await first) == [1, 2, 3, 4]
    assert [offsets_of(await each) for each in later] == [[2, 3, 4], [3, 4], [4]]
    assert database.begun == 2


async def test_nobody_is_told_what_was_deleted_before_they_asked(
    database: HeldUp, lobby: ChatRoom
) -> None:
    """A read that had begun by then is not shared, although it has not come back."""
    asking = Asking(database)
    await database.run(say, 2)
    [first] = await asking.begin(0)
    await eventually(lambda: database.begun == 1)
    await database.run(streams.redact, CHANNEL, 1, {"type": "deleted"})
    [second] = await asking.begin(0)
    database.may_arrive.set()
    early, late = (await first).missed, (await second).missed
    assert early is not None
    assert late is not None
    assert [json.loads(each.data)["type"] for each in early] == ["chat", "chat"]
    assert [json.loads(each.data)["type"] for each in late] == ["deleted", "chat"]


async def test_read_that_fails(database: HeldUp, lobby: ChatRoom) -> None:
    """All who share it hear that it failed; who asks afterwards has the log read anew."""
    asking = Asking(database)
    await database.run(say, 3)
    database.is_away = True
    crowd = await asking.begin(0, 1, 2)
    await eventually(lambda: database.begun == 1)
    database.may_arrive.set()
    failures = await asyncio.gather(*crowd, return_exceptions=True)
    assert [type(each) for each in failures] == [DatabaseAway] * 3
    database.is_away = False
    [found] = await asking.ask(1)
    assert offsets_of(found) == [2, 3]


async def test_one_who_leaves(database: HeldUp, lobby: ChatRoom) -> None:
    """The first to ask is gone before the answer; those who share its read get theirs."""
    asking = Asking(database)
    await database.run(say, 3)
    first, *others = await asking.begin(0, 1, 2)
    await eventually(lambda: database.begun == 1)
    first.cancel()
    database.may_arrive.set()
    assert [offsets_of(await each) for each in others] == [[2, 3], [3]]
    assert first.cancelled()
    assert database.begun == 1


async def test_all_leave(database: HeldUp, lobby: ChatRoom) -> None:
    """A read that nobody waits for anymore disturbs nobody, even where it fails."""
    asking = Asking(database)
    await database.run(say, 3)
    database.is_away = True
    gone = await asking.begin(0, 1)
    await eventually(lambda: database.begun == 1)
    for each in gone:
        each.cancel()
    [coming] = await asking.begin(2)
    await asyncio.gather(*gone, return_exceptions=True)
    database.is_away = False
    database.may_arrive.set()
    assert offsets_of(await coming) == [3]


async def test_pages_go_with_those_who_catch_up(database: HeldUp, lobby: ChatRoom) -> None:
    """Nothing of what was read is kept when the last one has what it asked for."""
    asking = Asking(database)
    database.may_arrive.set()
    await database.run(say, 3)
    found = await asking.ask(0, 1)
    pages = {ref(each.missed._page) for each in found if each.missed is not None}
    assert [page() is not None for page in pages] == [True]
    del found
    await eventually(lambda: all(page() is None for page in pages))
    assert asking.recoveries._reads == {}


async def test_bound_is_each_ones_own(database: HeldUp, lobby: ChatRoom) -> None:
    """Who has missed too much is told so, and whoever shares the read is not the worse for it."""
    asking = Asking(database)
    database.may_arrive.set()
    size = 60_000
    fitting = RECOVERY_BYTES // (size + 100)
    await database.run(say, 2 * fitting, size)
    far, near = await asking.ask(0, 2 * fitting - 3)
    assert offsets_of(far) is None
    assert offsets_of(near) == [2 * fitting - 2, 2 * fitting - 1, 2 * fitting]


async def test_hole_in_the_log(database: HeldUp, lobby: ChatRoom) -> None:
    """Only those who stood behind a hole are told what follows it."""
    asking = Asking(database)
    database.may_arrive.set()
    await database.run(say, 6)
    await database.run(Publication.objects.filter(offset__in=[1, 3]).delete)
    found = await asking.ask(*range(6))
    assert [offsets_of(each) for each in found] == [None, None, None, [4, 5, 6], [5, 6], [6]]


async def test_numbering_that_changed_meanwhile(database: HeldUp, lobby: ChatRoom) -> None:
    """Those who saw different numberings share no read."""
    recoveries = Recoveries(database)
    database.may_arrive.set()
    await database.run(say, 3)
    heads = await database.run(heads_of, {CHANNEL})
    head = heads[CHANNEL]
    other = head._replace(position=Position("other", 3))
    found = await asyncio.gather(
        recoveries.recover({CHANNEL: head.position._replace(offset=1)}, heads),
        recoveries.recover({CHANNEL: Position("other", 1)}, {CHANNEL: other}),
    )
    assert [offsets_of(each[CHANNEL]) for each in found] == [[2, 3], [2, 3]]
    assert [each[CHANNEL].head for each in found] == [head.position, other.position]
    assert database.begun == 2

"""Presence of several gateways over one database, each with a clock that the test turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from services.gateway import database, lease
from services.gateway.database import DatabaseAway, DatabaseThreads
from services.gateway.presence import Crowd, Presence
from shared.presence import queries
from shared.presence.clients import ClientInfo, Stats
from shared.presence.models import Lease, PresentClient
from tests.shared.presence.leases import age

pytestmark = pytest.mark.django_db(transaction=True)

LOBBY = "chat:lobby"


class Gateway:
    """One gateway's presence, and what it told."""

    def __init__(self, threads: DatabaseThreads, name: str) -> None:
        self.threads = threads
        self.now = 1_000.0
        self.told: list[tuple[str, str]] = []
        self.counts: list[tuple[int, int]] = []
        self.presence = Presence(
            threads,
            name,
            is_told=lambda channel: channel.startswith("chat:"),
            on_join=lambda channel, info: self.told.append(("join", info.client)),
            on_leave=lambda channel, info: self.told.append(("leave", info.client)),
            on_count=lambda channel, clients, users: self.counts.append((clients, users)),
            clock=lambda: self.now,
        )

    def add(self, client: str, user: str, channel: str = LOBBY) -> None:
        self.presence.add(channel, ClientInfo(client, user))

    def remove(self, client: str, channel: str = LOBBY, *, at_once: bool = False) -> None:
        self.presence.remove(channel, client, at_once=at_once)

    async def tick(self, seconds: int = 1) -> None:
        """Let seconds pass, each with its tick."""
        for _ in range(seconds):
            self.now += 1.0
            await self.presence.tick()

    async def seen(self, channel: str = LOBBY) -> set[str]:
        return set(await self.presence.members(channel))

    @property
    def incarnation(self) -> str:
        return self.presence._lease.incarnation


type Make = Callable[[str], Gateway]


@pytest.fixture
async def threads(transactional_db: None) -> AsyncIterator[DatabaseThreads]:
    made = DatabaseThreads()
    yield made
    made.close()
    for thread in threading.enumerate():
        if thread.name.startswith("database"):
            await asyncio.to_thread(thread.join)


@pytest.fixture
def make(threads: DatabaseThreads) -> Make:
    return lambda name: Gateway(threads, name)


@pytest.fixture
async def a(make: Make) -> Gateway:
    return make("a")


@pytest.fixture
async def b(make: Make) -> Gateway:
    return make("b")


async def ticks(gateways: Iterable[Gateway], seconds: int) -> None:
    for _ in range(seconds):
        for gateway in gateways:
            await gateway.tick()


def read(channel: str = LOBBY) -> set[str]:
    """Who is in a channel, as Django code has it."""
    return set(queries.members(channel))


async def until_read(threads: DatabaseThreads, clients: set[str]) -> None:
    """Wait until exactly these are in the lobby, as Django code has it."""
    async with asyncio.timeout(10):
        while await threads.run(read) != clients:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.02)


def pass_by() -> None:
    """Let whoever has left have done so a while ago by the database's clock, which nobody turns."""
    old = Now() - timedelta(seconds=13)
    PresentClient.objects.filter(left_at__isnull=False).update(left_at=old)


@asynccontextmanager
async def locked(incarnation: str) -> AsyncIterator[None]:
    """Another transaction holds a lease's row, and on SQLite the whole file, for the block."""
    holds, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Lease.objects.select_for_update().get(pk=incarnation)
                holds.set()
                done.wait(30)
        finally:
            connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(holds.wait, 10)
    try:
        yield
    finally:
        done.set()
        await holding


async def test_one_sees_the_other(a: Gateway, b: Gateway) -> None:
    """Own clients are seen at once, those of others when they are written, with what is told."""
    a.presence.add(LOBBY, ClientInfo("c1", "1", '{"name":"ann"}', '{"seat":1}'))
    b.add("c2", "1")
    b.add("c3", "")
    assert (await a.seen(), await b.seen()) == ({"c1"}, {"c2", "c3"})
    await ticks([a, b], 1)
    assert await a.seen() == await b.seen() == {"c1", "c2", "c3"}
    members = await b.presence.members(LOBBY)
    assert members["c1"] == ClientInfo("c1", "1", '{"name":"ann"}', '{"seat":1}')
    assert await a.presence.stats(LOBBY) == await b.presence.stats(LOBBY) == Stats(3, 2)
    assert await a.presence.stats("chat:empty") == Stats(0, 0)


async def test_what_is_not_written_yet_counts(a: Gateway, b: Gateway) -> None:
    """A gateway knows of its own clients what the database does not."""
    a.add("c1", "1")
    b.add("c2", "2")
    await ticks([a, b], 1)
    a.remove("c1", at_once=True)
    a.add("c3", "2")
    assert await a.seen() == {"c2", "c3"}
    assert await a.presence.stats(LOBBY) == Stats(2, 1)
    assert await b.seen() == {"c1", "c2"}
    await ticks([a, b], 1)
    assert await b.seen() == {"c2", "c3"}


async def test_a_second_is_one_batch(
    a: Gateway, monkeypatch: pytest.MonkeyPatch, threads: DatabaseThreads
) -> None:
    """However much comes and goes in a second, one call writes it; a quiet one needs none."""
    await a.tick()
    calls = []
    write = threads.write

    async def counted(call: Callable[..., object], *args: object, **kwargs: object) -> object:
        calls.append(call.__name__)
        return await write(call, *args, **kwargs)

    monkeypatch.setattr(threads, "write", counted)
    for n in range(100):
        a.add(f"c{n}", str(n))
    for n in range(50):
        a.remove(f"c{n}")
    await a.tick()
    assert calls == ["do_write"]
    await a.tick(5)
    assert calls == ["do_write"]
    assert await threads.run(read) == {f"c{n}" for n in range(50, 100)}


async def test_many_ask_at_once(
    a: Gateway, b: Gateway, monkeypatch: pytest.MonkeyPatch, threads: DatabaseThreads
) -> None:
    """A hundred who ask for presence in one moment share what is read."""
    b.add("c1", "1")
    await b.tick()
    calls = []
    run = threads.run

    async def counted(call: Callable[..., object], *args: object, **kwargs: object) -> object:
        calls.append(call)
        return await run(call, *args, **kwargs)

    monkeypatch.setattr(threads, "run", counted)
    answers = await asyncio.gather(*[a.presence.members(LOBBY) for _ in range(100)])
    assert [set(answer) for answer in answers] == [{"c1"}] * 100
    assert len(calls) == 1


async def test_the_lease_is_renewed(a: Gateway, threads: DatabaseThreads) -> None:
    """A gateway where nothing happens keeps its lease with a beat every ten seconds."""
    a.add("c1", "1")
    await a.tick(2)
    await threads.run(age, a.incarnation, 29)
    await a.tick(7)
    assert await threads.run(read) == {"c1"}
    await threads.run(age, a.incarnation, 31)
    assert await threads.run(read) == set()
    await a.tick(3)
    assert await threads.run(read) == {"c1"}


async def test_a_killed_gateway(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """Its people are gone when its lease is, nobody else is; who came back elsewhere stays."""
    a.add("c1", "1")
    b.add("x1", "1")
    b.add("x2", "2")
    await ticks([a, b], 1)
    await threads.run(age, b.incarnation, 31)
    assert await a.seen() == {"c1"}
    await a.tick(10)
    assert ("leave", "x2") not in a.told
    await threads.run(age, b.incarnation, 43)
    await a.tick(11)
    assert a.told == [("join", "c1"), ("leave", "x2")]
    assert await threads.run(PresentClient.objects.count) == 1
    a.remove("c1")
    await a.tick(15)
    assert a.told[2:] == [("leave", "x1"), ("leave", "c1")]


async def test_taken_for_dead(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """A gateway that was swept although it lives is there again with its next beat."""
    a.add("c1", "1")
    b.add("c2", "2")
    await ticks([a, b], 1)
    await threads.run(age, b.incarnation, 60)
    await a.tick(11)
    assert await threads.run(PresentClient.objects.count) == 1
    await b.tick(11)
    assert await threads.run(read) == {"c1", "c2"}


async def test_tables_emptied_by_a_crash(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """What a crash of PostgreSQL empties is written again by all, with the next beat at last."""
    a.add("c1", "1")
    b.add("c2", "2")
    await ticks([a, b], 1)

    def crash() -> None:
        PresentClient.objects.all().delete()
        Lease.objects.all().delete()

    await threads.run(crash)
    a.add("c3", "3")
    a.remove("c1")
    await a.tick()
    assert await threads.run(read) == {"c3"}
    await ticks([a, b], 10)
    assert await threads.run(read) == {"c2", "c3"}
    await ticks([a, b], 20)
    assert {told for told in a.told + b.told if told[0] == "leave"} == {("leave", "c1")}


async def test_started_again_under_its_name(
    a: Gateway, make: Make, threads: DatabaseThreads
) -> None:
    """A restarted gateway's old clients are gone at once; a reload meanwhile is no leave."""
    other = make("b")
    a.add("c1", "1")
    a.add("c2", "2")
    await ticks([a, other], 1)
    again = make("a")
    await again.tick()
    assert await other.seen() == set()
    again.add("c3", "1")
    await ticks([again, other], 25)
    assert await other.seen() == {"c3"}
    assert (again.told, other.told) == ([("join", "c3")], [])
    await threads.run(age, a.incarnation, 43)
    await ticks([again, other], 11)
    assert again.told[1:] + other.told == [("leave", "c2")]


async def test_drained(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """A gateway that ends has nobody anymore; who did not come back is told of by another."""
    for client, user in (("c1", "1"), ("c2", "2"), ("c3", "3")):
        a.add(client, user)
    await ticks([a, b], 1)
    a.remove("c1")
    a.remove("c2")
    await a.tick()
    b.add("d1", "1")
    await a.presence.end()
    assert await b.seen() == {"d1"}
    await b.tick(11)
    assert b.told == [("join", "d1")]
    await threads.run(age, a.incarnation, 43)
    await b.tick(11)
    assert sorted(b.told[1:]) == [("leave", "c2"), ("leave", "c3")]


async def test_reload_at_another_gateway(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """A page that is loaded again through another gateway gives no leave."""
    a.add("c1", "1")
    await ticks([a, b], 1)
    a.remove("c1")
    await ticks([a, b], 9)
    b.add("c2", "1")
    await ticks([a, b], 60)
    assert (a.told, b.told) == ([("join", "c1")], [("join", "c2")])
    b.remove("c2")
    await ticks([a, b], 11)
    assert b.told == [("join", "c2")]
    await threads.run(pass_by)
    await ticks([a, b], 30)
    assert sorted(a.told[1:] + b.told[1:]) == [("leave", "c1"), ("leave", "c2")]


async def test_asking_during_a_reload(a: Gateway, b: Gateway) -> None:
    """Who begins to watch while somebody reloads sees them, although no join will be told."""
    a.add("c1", "1")
    await ticks([a, b], 1)
    a.remove("c1")
    assert await a.seen() == await b.seen() == {"c1"}
    await ticks([a, b], 1)
    assert await a.seen() == await b.seen() == {"c1"}
    assert await a.presence.stats(LOBBY) == await b.presence.stats(LOBBY) == Stats(0, 0)
    a.add("c2", "1")
    await ticks([a, b], 1)
    assert await a.seen() == await b.seen() == {"c2"}
    assert a.told == [("join", "c1")]


async def test_a_join_is_told_when_it_is_written(a: Gateway, b: Gateway) -> None:
    """Whoever begins to listen hears of a client by its join, or finds it in the database."""
    a.add("c1", "1")
    assert (a.told, await b.seen()) == ([], set())
    await a.tick()
    assert (a.told, await b.seen()) == ([("join", "c1")], {"c1"})


async def test_gone_before_anybody_was_told(a: Gateway) -> None:
    """Who comes and goes within a second leaves no trace; who comes back then is told of."""
    a.add("c1", "1")
    a.remove("c1")
    a.add("c2", "1")
    await a.tick()
    assert a.told == [("join", "c2")]


async def test_two_tabs(a: Gateway, b: Gateway, threads: DatabaseThreads) -> None:
    """With one tab at each of two gateways, nobody has left until both are closed."""
    a.add("c1", "1")
    b.add("c2", "1")
    await ticks([a, b], 1)
    a.remove("c1", at_once=True)
    await ticks([a, b], 1)
    await threads.run(pass_by)
    await ticks([a, b], 30)
    assert ("leave", "c1") not in a.told
    assert await a.presence.stats(LOBBY) == Stats(1, 1)
    b.remove("c2", at_once=True)
    await ticks([a, b], 1)
    await threads.run(pass_by)
    await ticks([a, b], 30)
    assert ("leave", "c1") in a.told
    assert ("leave", "c2") in b.told


async def test_unsubscribing(a: Gateway) -> None:
    """Who says that they go has left within three seconds."""
    a.add("c1", "1")
    await a.tick()
    a.remove("c1", at_once=True)
    await a.tick(3)
    assert a.told == [("join", "c1"), ("leave", "c1")]


async def test_a_join_heard_before_it_is_written(a: Gateway, b: Gateway) -> None:
    """Another gateway's join comes by bell; the leave that was due waits for its row."""
    a.add("c1", "1")
    await a.tick()
    a.remove("c1")
    await a.tick(11)
    b.add("c2", "1")
    a.presence.heard_join(LOBBY, "1")
    await a.tick(2)
    await ticks([a, b], 30)
    assert a.told == [("join", "c1")]


async def test_channel_without_joins_and_leaves(a: Gateway) -> None:
    """Presence is kept in it, and nothing is told."""
    a.add("c1", "1", "user:1")
    await a.tick()
    a.remove("c1", "user:1")
    await a.tick(15)
    assert a.told == []
    assert a.presence._rosters == {}


async def test_what_cannot_be_stored_is_refused(a: Gateway, threads: DatabaseThreads) -> None:
    """It is refused where it comes from, and nothing of it stays."""
    with pytest.raises(ValueError):
        a.add("c1", "1\0")
    assert a.presence._rosters == {}
    a.remove("c1")
    a.add("c2", "2")
    await a.tick()
    assert await threads.run(read) == {"c2"}


async def test_crowd(a: Gateway, b: Gateway) -> None:
    """More than two hundred at all gateways are counted, once a second, by each of these."""
    for n in range(150):
        a.add(f"a{n}", f"u{n}")
        b.add(f"b{n}", f"u{n + 50}")
    await ticks([a, b], 11)
    assert len(a.told) == len(b.told) == 150
    await ticks([a, b], 1)
    assert a.counts[-1] == b.counts[-1] == (300, 200)
    counted = len(b.counts)
    await ticks([a, b], 3)
    assert len(b.counts) == counted
    a.add("a150", "u0")
    a.remove("a0")
    a.remove("a1")
    await ticks([a, b], 1)
    assert len(a.told) == 150
    assert a.counts[-1] == b.counts[-1] == (299, 199)
    for n in range(2, 148):
        a.remove(f"a{n}")
    for n in range(40):
        b.remove(f"b{n}")
    await ticks([a, b], 2)
    assert len(a.told) == 150
    assert a.counts[-1][0] == 113
    a.add("a1000", "new")
    await a.tick()
    assert a.told[-1] == ("join", "a1000")


async def test_crowds_are_not_listed(
    a: Gateway, b: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither from the first moment on, nor by reading all of it; whoever is left is listed."""
    for n in range(150):
        a.add(f"a{n}", f"u{n}")
    for n in range(51):
        b.add(f"b{n}", f"v{n}")
    assert len(await a.seen()) == 150
    await ticks([a, b], 1)
    for gateway in (a, b):
        with pytest.raises(Crowd):
            await gateway.seen()
    await ticks([a, b], 11)

    async def too_much(channel: str) -> None:
        raise AssertionError("all of it is read")

    with monkeypatch.context() as patch:
        patch.setattr(b.presence._attendances, "ask", too_much)
        with pytest.raises(Crowd):
            await b.seen()
    a.remove("a0")
    await a.tick()
    assert len(await b.seen()) == 200
    for n in range(201):
        a.add(f"more{n}", "one")
    with pytest.raises(Crowd):
        await a.seen()


async def test_a_newcomer_in_a_crowd(a: Gateway, b: Gateway) -> None:
    """The first client of a gateway in a channel that is a crowd elsewhere is counted, not told."""
    for n in range(250):
        a.add(f"a{n}", f"u{n}")
    await ticks([a, b], 11)
    b.add("b1", "new")
    await ticks([a, b], 1)
    assert b.told == []
    assert b.counts == [(251, 251)]


async def test_the_database_is_away(
    a: Gateway, b: Gateway, threads: DatabaseThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes wait until it is back, and no leave is told on the word of leases grown old."""
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.2)
    a.add("c1", "1")
    b.add("c2", "1")
    a.add("c3", "3")
    await ticks([a, b], 1)
    a.remove("c1")
    async with locked(a.incarnation):
        a.add("c4", "4")
        await a.tick()
        a.remove("c4")
        a.remove("c3")
        a.add("c5", "5")
        await a.tick()
        assert a.presence._lease.waiting == 4
    monkeypatch.undo()
    # The calls that were given up may have run by now, or run beside the next.
    await threads.run(age, b.incarnation, 60)

    async def is_written() -> bool:
        await a.tick()
        return a.presence._lease.waiting == 0

    while not await is_written():
        pass
    assert await threads.run(read) == {"c5"}
    await a.tick(3)
    assert ("leave", "c1") not in a.told
    await ticks([b], 11)
    await ticks([a, b], 40)
    assert ("leave", "c1") not in a.told
    assert {("leave", "c3"), ("leave", "c4")} <= set(a.told)
    assert await threads.run(read) == {"c2", "c5"}


async def test_members_while_the_database_is_away(
    a: Gateway, threads: DatabaseThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks is told that it cannot be said now, not a part of it."""

    async def away(*args: object, **kwargs: object) -> object:
        raise DatabaseAway("no connection")

    monkeypatch.setattr(threads, "run", away)
    with pytest.raises(DatabaseAway):
        await a.presence.members(LOBBY)
    with pytest.raises(DatabaseAway):
        await a.presence.stats(LOBBY)


async def test_more_than_a_batch(
    a: Gateway, threads: DatabaseThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is more than one transaction should take is written by the next ones."""
    monkeypatch.setattr(lease, "_BATCH", 10)
    for n in range(25):
        a.add(f"c{n}", "1")
    sizes = []
    for _ in range(3):
        await a.tick()
        sizes.append(len(await threads.run(read)))
    assert sizes == [10, 20, 25]


async def test_too_many_goings(
    a: Gateway, threads: DatabaseThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more that wait than it is worth to keep, all is written anew."""
    monkeypatch.setattr(lease, "_GOINGS", 10)
    for n in range(25):
        a.add(f"c{n}", "1")
    await a.tick()
    for n in range(24):
        a.remove(f"c{n}")
    assert a.presence._lease.waiting < 15
    await a.tick()
    assert await threads.run(read) == {"c24"}


async def test_it_runs(a: Gateway, threads: DatabaseThreads) -> None:
    """Left to itself it writes within a second or so."""
    running = asyncio.create_task(a.presence.run())
    a.add("c1", "1")
    await until_read(threads, {"c1"})
    a.remove("c1")
    await until_read(threads, set())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await a.presence.end()
    assert await threads.run(read) == set()

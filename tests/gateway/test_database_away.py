from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from django.db import connection, transaction

from services.gateway import database
from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from shared.realtime.models import Stream
from tests.gateway.peer import Peer, served

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]


@asynccontextmanager
async def nobody_can_write(channel: str) -> AsyncIterator[None]:
    """Another transaction holds the channel's row, and on SQLite the whole file, for the block."""
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Stream.objects.select_for_update().get(channel=channel)
                locked.set()
                done.wait(30)
        finally:
            connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(locked.wait, 10)
    try:
        yield
    finally:
        done.set()
        await holding


@pytest.mark.thorough
async def test_send_while_the_database_hangs(
    gateway: Gateway, alice: User, bob: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """
    No answer in seconds is a temporary error; the same message sent again is taken, once.

    One row that somebody holds is no outage: the gateway stays ready.
    """
    async with (
        Peer("/ws/chat/lobby/", cookie_of(alice)) as hers,
        Peer("/ws/chat/lobby/", cookie_of(bob)) as his,
    ):
        async with nobody_can_write("chat:lobby"):
            await hers.send(message="patience", client_id="p1")
            frame = await hers.receive()
            assert (frame["type"], frame["code"], frame["client_id"]) == ("error", 100, "p1")
            assert gateway.database.outage is None
        while frame["type"] != "chat":
            await hers.send(message="patience", client_id="p1")
            frame = await hers.receive()
        assert frame["message"] == "patience"
        assert (await his.receive())["id"] == frame["id"]
        assert await gateway.database.run(Message.objects.count) == 1
        assert gateway.database.outage is None


async def test_handshake_while_the_database_hangs(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """Readers are not held up by a writer: handshakes go on."""
    cookie = cookie_of(alice)
    async with nobody_can_write("chat:lobby"), Peer("/ws/chat/lobby/", cookie) as peer:
        assert peer.greeting["type"] == "connection_established"


@pytest.mark.thorough
async def test_handshake_while_many_wait_for_a_lock(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """However many senders wait for one room, others connect, and the gateway stays ready."""
    cookie = cookie_of(alice)
    async with Peer("/ws/notifications/", cookie):
        # A user's first visit makes their stream, and SQLite has one lock for all writers.
        pass
    async with AsyncExitStack() as stack:
        senders = [
            await stack.enter_async_context(Peer("/ws/chat/lobby/", cookie)) for _ in range(8)
        ]
        async with nobody_can_write("chat:lobby"):
            for sender in senders:
                await sender.send(message="waits")
            async with asyncio.timeout(2), Peer("/ws/notifications/", cookie) as peer:
                assert peer.greeting["type"] == "connection_established"
            for sender in senders:
                assert (await sender.receive())["code"] == 100
            assert gateway.database.outage is None


async def test_hung_queries_do_not_stop_the_loop(
    monkeypatch: pytest.MonkeyPatch,
    gateway: Gateway,
    alice: User,
    lobby: ChatRoom,
    cookie_of: CookieOf,
) -> None:
    """While every database thread hangs, the gateway still answers what needs no database."""
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.5)
    cookie = cookie_of(alice)
    async with (
        Peer("/ws/chat/lobby/", cookie) as one,
        Peer("/ws/chat/lobby/", cookie) as two,
        Peer("/ws/chat/lobby/", cookie) as three,
        Peer("/ws/chat/lobby/", cookie) as four,
        Peer("/ws/chat/lobby/", cookie) as five,
        Peer("/ws/chat/lobby/", cookie) as other,
    ):
        writers = (one, two, three, four, five)
        async with nobody_can_write("chat:lobby"):
            for writer in writers:
                await writer.send(message="hangs")
            async with asyncio.timeout(1):
                await other.send("not JSON")
                assert (await other.receive())["code"] == 107
            for writer in writers:
                assert (await writer.receive())["code"] == 100


@pytest.mark.servers
async def test_handshake_while_nothing_can_be_read(
    on_postgresql: None, gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """When not even the session can be read, the handshake is refused soon and works later."""
    cookie = cookie_of(alice)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
                locked.set()
                done.wait(30)
        finally:
            connection.close()

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(locked.wait, 10)
    async with asyncio.timeout(4):
        assert not await Peer("/ws/chat/lobby/", cookie).connects()
        assert not served(gateway)
    done.set()
    await holding
    async with Peer("/ws/chat/lobby/", cookie) as peer:
        assert peer.greeting["type"] == "connection_established"

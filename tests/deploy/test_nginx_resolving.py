"""Gateways and web processes that have a name, as containers have: who comes and goes is found."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection

from tests.deploy.nginx_front import Front
from tests.deploy.nginx_stand_ins import wait_for

pytestmark = pytest.mark.servers

ONE, TWO, THREE = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with Front.temporary() as front:
        yield front


def workers(front: Front) -> list[str]:
    """List nginx's worker processes; a reload would replace them."""
    assert front.process is not None
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(front.process.pid)], capture_output=True, text=True
    )
    return found.stdout.split()


async def still_there(socket: ClientConnection) -> bool:
    await socket.send("still here")
    async with asyncio.timeout(10):
        return await socket.recv() == "still here"


async def all_reach(front: Front, expected: set[str]) -> None:
    """Open 12 sockets again and again, until all are at these gateways and at each of them."""
    async with asyncio.timeout(30):
        while True:
            # All at once: one after the other might always find the same gateway the emptiest.
            async with AsyncExitStack() as stack:
                sockets = [await stack.enter_async_context(front.shake()) for _ in range(12)]
            found = {address for address, _, _ in sockets}
            assert found <= {ONE, TWO, THREE}
            if found == expected:
                return


async def test_gateways_come_and_go(front: Front) -> None:
    """A new one gets sockets, a removed one gets none, and nobody else's is cut."""
    front.names.addresses = {"gateway": [ONE], "web": [ONE]}
    first = await front.gateway(ONE)
    await front.start(front.resolved)
    before = workers(front)
    async with AsyncExitStack() as stack:
        address, _, at_first = await stack.enter_async_context(front.shake())
        assert address == ONE

        second = await front.gateway(TWO)
        front.names.addresses["gateway"] = [ONE, TWO]
        await all_reach(front, {ONE, TWO})
        address = ""
        while address != TWO:
            address, _, at_second = await stack.enter_async_context(front.shake())

        # Recreated with another address; the old one lives on for those that it has.
        await front.gateway(THREE)
        await first.stop_listening()
        front.names.addresses["gateway"] = [THREE, TWO]
        await all_reach(front, {TWO, THREE})
        assert await still_there(at_first)
        assert await still_there(at_second)

        # Killed, while its name is still there for some time.
        await second.close()
        await all_reach(front, {THREE})
        assert await still_there(at_first)
    assert workers(front) == before


async def test_no_gateway_has_a_name(front: Front) -> None:
    """While the name is unknown a client is told when to come back; then it finds one."""
    front.names.addresses = {"web": [ONE]}
    await front.web(ONE)
    await front.start(front.resolved)
    assert await front.where() == 503
    answer = await front.ask("/ws/chat/lobby/", headers={"Upgrade": "websocket"})
    assert answer.headers["Retry-After"] == "1"
    assert (await front.ask("/rooms/")).status == 200
    await front.gateway(TWO)
    front.names.addresses["gateway"] = [TWO]
    async with asyncio.timeout(30):
        while await front.where() != TWO:
            pass


async def test_web_has_another_address(front: Front) -> None:
    """Pages come from the web container that has taken the other's place."""
    front.names.addresses = {"gateway": [ONE], "web": [ONE]}
    old = await front.web(ONE)
    await front.start(front.resolved)
    assert (await front.ask("/rooms/?page=2")).seen["path"] == "/rooms/?page=2"
    await old.close()
    await front.web(TWO)
    front.names.addresses["web"] = [TWO]
    async with asyncio.timeout(30):
        while (answer := await front.ask("/rooms/")).status != 200:
            assert answer.status == 502
    assert answer.seen["address"] == TWO


async def test_full_gateway(front: Front) -> None:
    """As with fixed addresses: the next one is asked, in whatever order the names come."""
    front.names.addresses = {"gateway": [ONE, TWO], "web": [ONE]}

    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(full, ONE, front.gateway_port):
        await front.gateway(TWO)
        await front.start(front.resolved)
        assert {await front.where() for _ in range(20)} == {TWO}


async def test_access_log(front: Front) -> None:
    """Names change nothing in it: who answered is there by address, and no query string is."""
    front.names.addresses = {"gateway": [ONE], "web": [TWO]}
    await front.gateway(ONE)
    await front.start(front.resolved)
    await front.where(path="/connection/websocket?token=secret")
    assert (await front.ask("/rooms/?secret")).status == 502
    await wait_for(lambda: len(front.lines()) == 2)
    first, second = front.lines()
    assert first["path"] == "/connection/websocket"
    assert first["upstream"] == f"{ONE}:{front.gateway_port}"
    assert (second["path"], second["upstream_status"]) == ("/rooms/", "502")
    assert "secret" not in front.log.read_text() + front.errors.read_text()

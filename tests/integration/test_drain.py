"""A gateway is told to end: its clients hardly notice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter

import httpx
import pytest

from deploy.stack.processes import Identity, exit_status
from tests.client import Session
from tests.integration.audience import Listener, open_audience, sign_in_many, until
from tests.integration.faults import metric
from tests.integration.traffic import TimedClient, fresh_room, open_chat, pumping
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

PEOPLE = 1_000
DRAIN_SECONDS = 10


def identity_of(stack: RunningStack, number: int) -> Identity:
    """Return the process of a gateway."""
    record = stack.stack.supervisor.records.read(f"gateway-{number}")
    assert record is not None
    return record.identity


async def status_at_the_end(gateway: Identity, seconds: float) -> int:
    """Wait for a process to end by itself; return its exit status."""
    await until(lambda: exit_status(gateway) is not None, seconds)
    status = exit_status(gateway)
    assert status is not None
    return status


async def unready_within(stack: RunningStack, number: int, seconds: float) -> str:
    """Wait until a gateway wants no new work; return its reasons."""
    async with asyncio.timeout(seconds), httpx.AsyncClient() as http:
        while True:
            answer = await http.get(f"{stack.internal_url(f'gateway-{number}')}/readyz")
            if answer.status_code == 503:
                return answer.text
            await asyncio.sleep(0.02)


async def knock(stack: RunningStack, person: Session, room: str, gateway: Identity) -> None:
    """Come in through nginx again and again while a gateway ends: it is never there."""
    name = "carillon_gateway_connections_opened_total"
    opened = await asyncio.to_thread(metric, stack, "gateway-1", name)
    while exit_status(gateway) is None:
        async with open_chat(person, stack.url, room):
            pass
        try:
            assert await asyncio.to_thread(metric, stack, "gateway-1", name) == opened
        except httpx.HTTPError:
            # It has ended since.
            return
        await asyncio.sleep(0.3)


def heard_all(listener: Listener, head: int) -> bool:
    """Tell whether a listener has every message since it came, once and in order."""
    assert listener.begin is not None
    return listener.offsets == list(range(listener.begin + 1, head + 1))


async def test_a_thousand_are_sent_away_evenly_and_miss_nothing(stack: RunningStack) -> None:
    """In each tenth of the time a tenth gets 1012; all come back and have each message once."""
    with stack.settings(CARILLON_GATEWAY_DRAIN_SECONDS=str(DRAIN_SECONDS)):
        cookies = sign_in_many(stack, f"drained-{time.time_ns()}", PEOPLE)
        alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
        speakers = [open_chat(one, stack.gateway_url(2), "lobby") for one in (alice, bob)]
        gateway = identity_of(stack, 1)
        first, second = speakers
        async with (
            open_audience(stack.gateway_url(1), "lobby", stack.url, cookies) as listeners,
            first,
            second,
        ):
            assert metric(stack, "gateway-1", "carillon_gateway_connections") == PEOPLE
            for listener in listeners:
                listener.refuge = stack.gateway_url(2)
            # Twenty messages a second; one person may not say more.
            async with pumping(first, per_second=10), pumping(second, per_second=10):
                await until(lambda: all(len(one.offsets) >= 20 for one in listeners), 15)
                told = time.monotonic()
                os.kill(gateway.pid, signal.SIGTERM)
                assert "drain" in await unready_within(stack, 1, 1)
                visitor = asyncio.create_task(knock(stack, bob, fresh_room(bob), gateway))
                assert await status_at_the_end(gateway, DRAIN_SECONDS + 10) == 0
                seconds = time.monotonic() - told
                await visitor
                assert seconds <= DRAIN_SECONDS + 3
                await until(lambda: all(one.is_open for one in listeners), 15)
            head = await last_offset(first, second)
            await until(lambda: all(one.offsets[-1] >= head for one in listeners), 15)
            endings = [list(one.endings) for one in listeners]
    assert {len(each) for each in endings} == {1}, "each was sent away once"
    sent_away = [each[0] for each in endings]
    assert {(each.code, bool(each.reason)) for each in sent_away} == {(1012, True)}
    tenths = Counter(min(9, int((each.at - told) / DRAIN_SECONDS * 10)) for each in sent_away)
    print(f"ended after {seconds:.1f} s; in each tenth {[tenths[n] for n in range(10)]}")
    for tenth in range(10):
        assert 0.08 * PEOPLE <= tenths[tenth] <= 0.12 * PEOPLE, tenths
    assert [one.others for one in listeners if one.others] == []
    assert [one.refusals for one in listeners if one.refusals] == []
    assert [one.offsets for one in listeners if not heard_all(one, head)] == []
    assert "; 0 connections did not end" in stack.log_text("gateway-1")


async def last_offset(*speakers: TimedClient) -> int:
    """Wait until the speakers have heard all that they have said; return where the room stands."""
    said = {client_id for speaker in speakers for client_id in speaker.sent}
    for speaker in speakers:
        await speaker.wait_for(lambda one: said <= one.got.keys())
    return max(int(frame["offset"]) for speaker in speakers for frame in speaker.of_type("chat"))


async def test_an_operator_drains_over_http(stack: RunningStack) -> None:
    """POST /drain is what SIGTERM is; asked twice it is the same, and few are gone soon."""
    alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
    room = fresh_room(alice)
    gateway = identity_of(stack, 1)
    internal = stack.internal_url("gateway-1")
    one, other = open_chat(alice, stack.gateway_url(1), room), open_chat(bob, stack.url, room)
    async with one, open_chat(bob, stack.gateway_url(1), room) as two:
        async with httpx.AsyncClient(base_url=internal) as http:
            assert (await http.get("/drain")).status_code == 405
            for _ in range(2):
                assert (await http.post("/drain")).status_code == 202
        for client in (one, two):
            await client.wait_for(lambda c: c.close_code is not None)
            assert client.close_code == 1012
            assert client.socket.close_reason
        assert await status_at_the_end(gateway, 10) == 0
        async with other:
            await other.send(message="still here")
            await other.wait_for(lambda c: c.texts == ["still here"])


async def test_a_second_signal_ends_at_once(stack: RunningStack) -> None:
    """Whoever does not want to wait for the drain does not have to."""
    with stack.settings(CARILLON_GATEWAY_DRAIN_SECONDS="600"):
        cookies = sign_in_many(stack, f"hurried-{time.time_ns()}", 300)
        gateway = identity_of(stack, 1)
        async with open_audience(stack.gateway_url(1), "lobby", stack.url, cookies) as listeners:
            os.kill(gateway.pid, signal.SIGTERM)
            await until(lambda: any(one.endings for one in listeners), 5)
            os.kill(gateway.pid, signal.SIGTERM)
            again = time.monotonic()
            assert await status_at_the_end(gateway, 10) == 0
            seconds = time.monotonic() - again
            await until(lambda: all(one.endings for one in listeners), 5)
    print(f"ended {seconds:.2f} s after the second signal")
    assert seconds < 2
    codes = Counter(one.endings[0].code for one in listeners)
    # Those whom the drain had not come to are told in time, or cut.
    assert set(codes) <= {None, 1012}

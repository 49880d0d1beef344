"""
Gateways die under traffic, again and again, and clients of unmodified SDKs go on.

    python -m tests.sdk.kills 30

runs it on a stack of its own and prints what it found; it ends with 1 if that is anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.client import Session
from tests.sdk.checker import Finding, Log, Record, check, record_of
from tests.sdk.client import SdkClient, has_published, websocket_url
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.room import Room, message_of
from tests.servers import SETTINGS, RunningStack, temporary_stack

__all__ = ["Outcome", "kill_gateways"]

CLIENTS = 20
PER_SECOND = 50.0
PEOPLE = ("alice", "bob", "carol", "admin")
# Longer than any SDK waits between two attempts.
RETURN_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """
    What became of a run.

    Attributes:
        findings: what the checker says; empty when all is well.
        log: the room's log at the end.
        records: what each client heard, by its name.
        recoveries: how many times a client came back and was given what it had missed.
        resent: how many messages were sent again because their sender lost its connection.
        returned: seconds from each kill until everybody was subscribed again.
    """

    findings: list[Finding]
    log: Log
    records: Mapping[str, Record]
    recoveries: int
    resent: int
    returned: list[float]

    def __str__(self) -> str:
        slowest = max(self.returned, default=0.0)
        summary = (
            f"{len(self.log.messages)} messages, {self.resent} of them sent again, "
            f"{self.recoveries} recoveries, everybody back within {slowest:.1f} s"
        )
        return "\n".join([summary, *(str(finding) for finding in self.findings)])


async def kill_gateways(
    stack: RunningStack,
    kills: int,
    clients: int = CLIENTS,
    per_second: float = PER_SECOND,
    progress: Callable[[str], None] = print,
) -> Outcome:
    """
    Kill one gateway after the other while everybody speaks, half of them with each SDK.

    A message whose sender is not told that it is stored is sent again with its own id, as
    applications do. After every ten kills the progress is told.
    """
    people = [Session(stack.url, name) for name in PEOPLE]
    room = Room(stack, people[0])
    async with AsyncExitStack() as leaving:
        driver = await leaving.enter_async_context(JsDriver())
        crowd: list[SdkClient] = []
        for number in range(clients):
            name = f"client {number}"
            client = driver.client(name) if number % 2 else PyClient(name)
            leaving.push_async_callback(client.close)
            await client.enter(websocket_url(stack.url), people[number % len(people)])
            await client.join(room.channel)
            crowd.append(client)
        speakers = [_Speaker(room, client, clients / per_second) for client in crowd]
        speaking = [asyncio.create_task(speaker.run()) for speaker in speakers]
        try:
            returned = []
            for kill in range(kills):
                returned.append(await _kill(stack, 1 + kill % 2, room, crowd))
                if kill % 10 == 9:
                    progress(f"{kill + 1} killed; back within {max(returned[-10:]):.1f} s")
        finally:
            for speaker in speakers:
                speaker.is_over = True
            await asyncio.gather(*speaking)
        log = await asyncio.to_thread(room.log)
        # Whoever does not get there is a finding.
        with contextlib.suppress(TimeoutError):
            await _until(crowd, lambda client: _position(client, room) >= log.head)
        records = {c.name: record_of(c.events, room.channel, message_of) for c in crowd}
    recoveries = sum(
        event["recovered"] for c in crowd for event in c.of("subscribed", room.channel)
    )
    resent = sum(speaker.resent for speaker in speakers)
    return Outcome(check(log, room.acked, records), log, records, recoveries, resent, returned)


async def _kill(stack: RunningStack, number: int, room: Room, crowd: Sequence[SdkClient]) -> float:
    """Kill a gateway in the midst of things; return how long it took until all were back."""
    await asyncio.sleep(random.uniform(0.5, 2.0))
    began = time.monotonic()
    await asyncio.to_thread(stack.kill_gateway, number)
    try:
        # From the first word on that nobody at the dead gateway can have heard there.
        mark = (await asyncio.to_thread(room.log)).head
        await _until(crowd, lambda client: _position(client, room) > mark)
        return time.monotonic() - began
    finally:
        # Others use the stack, too, whatever became of these.
        await asyncio.to_thread(stack.start_gateway, number)


async def _until(crowd: Sequence[SdkClient], condition: Callable[[SdkClient], bool]) -> None:
    async with asyncio.timeout(RETURN_SECONDS):
        while not all(condition(client) for client in crowd):  # noqa: ASYNC110 - many clients
            await asyncio.sleep(0.05)


def _position(client: SdkClient, room: Room) -> int:
    for event in reversed(client.events):
        if event["event"] == "publication" and event["channel"] == room.channel:
            found: int = event["offset"]
            return found
    return 0


class _Speaker:
    """
    Says something at a steady rate.

    Attributes:
        is_over: set to make it stop; what it has begun to say it says.
        resent: how many messages needed more than one attempt.
    """

    def __init__(self, room: Room, client: SdkClient, pause: float) -> None:
        self.is_over = False
        self.resent = 0
        self._room = room
        self._client = client
        self._pause = pause

    async def run(self) -> None:
        await asyncio.sleep(random.uniform(0, self._pause))
        while not self.is_over:
            words = self._room.words()
            attempts = 1
            while not await has_published(self._client, self._room.channel, words):
                attempts += 1
            self.resent += attempts > 1
            self._room.acked.append(words["client_id"])
            await asyncio.sleep(self._pause)


def main() -> int:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with temporary_stack(SETTINGS) as stack:
        stack.up(2)
        outcome = asyncio.run(kill_gateways(RunningStack(stack), kills))
    print(outcome)
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())

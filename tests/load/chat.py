"""Two people who chat all the while, and how long their messages take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tests.integration.traffic import TimedClient, pumping
from tests.load.child import Child, commands

__all__ = ["Chat", "Said"]

ROOM = "lobby"
# Of both together.
PER_SECOND = 10.0
# For messages that are under way when the talk ends.
PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Said:
    """One message: when it was sent, by time.monotonic(), and the seconds until its ack."""

    at: float
    # None when none came.
    ack: float | None


class Chat:
    """A process in which two people talk."""

    def __init__(self, url: str, cookies: Sequence[str]) -> None:
        """
        Args:
            url: `http://host:port` of nginx, which is their browsers' Origin, too.
            cookies: the Cookie headers of the two.
        """
        self._child = Child(talk, url, list(cookies))
        self._child.hear(30)

    def stop(self) -> list[Said]:
        """End the talk and return all that was said."""
        said: list[Said] = self._child.ask("stop", PATIENCE_SECONDS + 15)
        return said

    def end(self) -> None:
        self._child.end()


async def talk(pipe: Connection, url: str, cookies: list[str]) -> None:
    """Be the process: talk until told to stop, then say how it went."""
    asked = commands(pipe)
    address = f"{url.replace('http', 'ws', 1)}/ws/chat/{ROOM}/"
    people = [TimedClient(address, cookie, url) for cookie in cookies]
    async with contextlib.AsyncExitStack() as sockets:
        for person in people:
            await sockets.enter_async_context(person)
        async with contextlib.AsyncExitStack() as pumps:
            for person in people:
                await pumps.enter_async_context(pumping(person, PER_SECOND / len(people)))
            pipe.send("ready")
            await asked.get()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                for person in people:
                    await person.wait_for(lambda one: one.sent.keys() <= one.got.keys())
    pipe.send([said for person in people for said in said_by(person)])


def said_by(person: TimedClient) -> list[Said]:
    """List a person's messages; the ack is one's own message coming back, which is stored then."""
    return [
        Said(at, person.got[name] - at if name in person.got else None)
        for name, at in person.sent.items()
    ]

"""An old dump is restored under clients who are there, and under some who are away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.cable import Cable
from tests.client import Session
from tests.integration.faults import dump_database, restore_database
from tests.sdk.client import Event, SdkClient, websocket_url
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.room import Room, message_of
from tests.sdk.trials.people import make_people
from tests.servers import RunningStack

__all__ = ["Restored", "restore_old_dump"]

DUMPED, LATER, AFTER = 2, 3, 4
BACK_SECONDS = 60.0


@dataclass
class Restored:
    """
    What clients were told after a restore.

    Attributes:
        told: how many subscriptions were told that what was missed cannot be given.
        silent: those that were told otherwise, or nothing.
        wrong: clients that then heard something else than the log has.
    """

    told: int = 0
    silent: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def restore_old_dump(
    stack: RunningStack,
    driver: JsDriver,
    dump: Path,
    *,
    dump_with: Callable[[RunningStack, Path], None] = dump_database,
    restore_with: Callable[[RunningStack, Path], None] = restore_database,
) -> Restored:
    """
    Dump the database, go on, restore the dump, and have everybody come back.

    Of each SDK there is one client that stays connected, one that goes away before the dump and
    one that goes after more was said, whose position is beyond the restored log. When those come
    back, the offsets that were lost have been given to other messages.
    """
    found = Restored()
    kinds = [f"{sdk} {place}" for sdk in ("js", "py") for place in ("stays", "early", "late")]
    people = dict(zip(kinds, await asyncio.to_thread(make_people, stack, len(kinds)), strict=True))
    owner = Session(stack.url, "alice")
    room = Room(stack, owner)
    async with AsyncExitStack() as leaving:
        with ExitStack() as plugs:
            cables = {kind: plugs.enter_context(_cable(stack)) for kind in kinds}
            clients: dict[str, SdkClient] = {}
            for kind, person in people.items():
                name = f"{kind} {person.username}"
                client = driver.client(name) if kind.startswith("js") else PyClient(name)
                leaving.push_async_callback(client.close)
                await client.enter(websocket_url(f"http://127.0.0.1:{cables[kind].port}"), person)
                await client.join(room.channel)
                clients[kind] = client
            await asyncio.to_thread(room.post, owner, DUMPED)
            await _all_heard(clients, room, kinds)
            await _away([kind for kind in kinds if kind.endswith("early")], cables, clients)
            await asyncio.to_thread(dump_with, stack, dump)
            there = [kind for kind in kinds if not kind.endswith("early")]
            await asyncio.to_thread(room.post, owner, LATER)
            await _all_heard(clients, room, there)
            await _away([kind for kind in kinds if kind.endswith("late")], cables, clients)
            before = {kind: len(client.events) for kind, client in clients.items()}
            await asyncio.to_thread(restore_with, stack, dump)
            await asyncio.to_thread(stack.manage, "realtime_restored")
            await asyncio.to_thread(room.post, owner, AFTER)
            for kind in kinds:
                cables[kind].mend()
            for kind, client in clients.items():
                channels = room.channel, f"user:{people[kind].id}", "announcements:all"
                for channel in channels:
                    await _note_told(found, client, channel, before[kind])
            await asyncio.to_thread(room.post, owner)
            await _all_heard(clients, room, kinds)
            log = room.log().messages
            for kind, client in clients.items():
                heard = [event for event in client.events[before[kind] :] if _is_heard(event, room)]
                # What came before they were told is of the life that was.
                last = {event["offset"]: message_of(event["data"]) for event in heard}
                if not last.items() <= log.items():
                    found.wrong.append(f"{client.name} heard {last}, the log has {log}")
    return found


async def _note_told(found: Restored, client: SdkClient, channel: str, since: int) -> None:
    def told(of: SdkClient) -> list[Event]:
        return [
            event
            for event in of.events[since:]
            if event["event"] == "subscribed" and event["channel"] == channel
        ]

    try:
        await client.wait_for(told, within=BACK_SECONDS, what=f"{channel} again")
    except AssertionError as error:
        found.silent.append(str(error).splitlines()[0])
        return
    first = told(client)[0]
    if first["was_recovering"] and not first["recovered"]:
        found.told += 1
    else:
        found.silent.append(f"{client.name} in {channel}: {first}")


async def _all_heard(clients: dict[str, SdkClient], room: Room, kinds: list[str]) -> None:
    newest = room.acked[-1]
    for kind in kinds:
        await clients[kind].wait_for(
            lambda c: any(message_of(e["data"]) == newest for e in c.heard(room.channel)),
            within=BACK_SECONDS,
            what=newest,
        )


async def _away(kinds: list[str], cables: dict[str, Cable], clients: dict[str, SdkClient]) -> None:
    for kind in kinds:
        cables[kind].cut()
    for kind in kinds:
        await clients[kind].next_of("connecting", number=2)


def _cable(stack: RunningStack) -> Cable:
    place = urlsplit(stack.url)
    assert place.hostname is not None
    assert place.port is not None
    return Cable(place.hostname, place.port)


def _is_heard(event: Event, room: Room) -> bool:
    return event["event"] == "publication" and event["channel"] == room.channel

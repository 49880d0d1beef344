"""
Five ways to lose what one hears, and how long it takes until one does.

The clock runs from the moment at which somebody clicks, before the request is sent, to the moment
at which the client's library has told of the end: whatever the web tier takes counts as well.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

import httpx

from tests.client import Session
from tests.desk.namespaces import PERMISSION
from tests.sdk.client import SdkClient, websocket_url
from tests.sdk.js_client import JsDriver
from tests.sdk.py_client import PyClient
from tests.sdk.room import Room
from tests.sdk.trials.people import Person, make_people, manage
from tests.servers import RunningStack

__all__ = ["WAYS", "Ended", "end_access"]

DESK = "desk:front"
# Past any bound: what has not ended by then is not going to.
PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.1
AT_ONCE = 8

# What each needs before it can be lost. Every other permission comes by way of a group.
GRANT = """
from django.contrib.auth.models import Group, Permission
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Membership
room = ChatRoom.objects.get(name="{room}")
Membership.objects.bulk_create([Membership(room=room, user_id=pk) for pk in {members}])
label, _, codename = "{permission}".partition(".")
permission = Permission.objects.get(content_type__app_label=label, codename=codename)
group, _ = Group.objects.get_or_create(name="{room}")
group.permissions.add(permission)
group.user_set.add(*{by_group})
permission.user_set.add(*{by_permission})
"""
# What staff do in the admin, in a process that is one of the web tier's in all but its requests.
REVOKE = """
import sys
from django.contrib.auth.models import Group, Permission
from shared.accounts.models import User
label, _, codename = "{permission}".partition(".")
permission = Permission.objects.get(content_type__app_label=label, codename=codename)
group = Group.objects.get(name="{room}")
print("ready", flush=True)
for line in sys.stdin:
    user = User.objects.get(pk=int(line))
    if user.groups.filter(pk=group.pk).exists():
        user.groups.remove(group)
    else:
        user.user_permissions.remove(permission)
    print("done", flush=True)
"""


@dataclass(frozen=True)
class Way:
    """
    Attributes:
        event: what the client's library tells.
        code: with which code.
        channel: which subscription ends; empty where the connection does.
        act: does it.
    """

    event: str
    code: int
    channel: str
    act: Callable[[Person], Coroutine[None, None, None]]


@dataclass
class Ended:
    """
    What became of the trials of one way.

    Attributes:
        seconds: for each trial, until the later of its two clients was told.
        wrong: what ended otherwise than it should, or not at all, or should have stayed.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


WAYS = ("deactivated", "signed out", "banned", "left a room", "lost a permission")


async def end_access(
    stack: RunningStack,
    driver: JsDriver,
    trials: int,
    *,
    meanwhile: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]] | None = None,
) -> dict[str, Ended]:
    """
    Take away from as many people in each way; each has a client of either SDK, through nginx.

    Args:
        stack: with `tests.desk` among its apps.
        driver: for the JavaScript clients.
        trials: how many in each way.
        meanwhile: given what does it all, for what has to be broken around it; then nothing is
            waited for between one trial and the next.
    """
    async with Ground(stack, driver, trials) as ground:
        if meanwhile is None:
            await ground.try_all(one_by_one=True)
        else:
            await meanwhile(lambda: ground.try_all(one_by_one=False))
        await ground.look_at_those_who_stay()
    return ground.ended


class Ground:
    """Everybody who takes part, where each can hear what is to be taken away."""

    def __init__(self, stack: RunningStack, driver: JsDriver, trials: int) -> None:
        self.ended = {way: Ended() for way in WAYS}
        self._stack, self._driver = stack, driver
        self._staff, self._owner = Session(stack.url, "admin"), Session(stack.url, "alice")
        self._room = Room(stack, self._owner, members_only=True)
        self._common = Room(stack, self._owner)
        people = make_people(stack, trials * len(WAYS) + 1)
        self._witness = people.pop()
        self._people = {way: people[n :: len(WAYS)] for n, way in enumerate(WAYS)}
        self._clients: dict[int, list[SdkClient]] = {}
        # What each has open, with the token that its forms need.
        self._pages: dict[Session, httpx.Response] = {}
        self._exits = AsyncExitStack()
        self._ways = {
            "deactivated": Way("disconnected", 4503, "", self._deactivate),
            "signed out": Way("disconnected", 4501, "", self._sign_out),
            "banned": Way("disconnected", 4503, "", self._ban),
            "left a room": Way("unsubscribed", 2000, self._room.channel, self._remove),
            "lost a permission": Way("unsubscribed", 2000, DESK, self._revoke),
        }

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            await asyncio.to_thread(self._grant)
            await self._open_web(exits)
            for session in (self._staff, self._owner):
                self._pages[session] = await asyncio.to_thread(session.http.get, "/rooms/")
            slots = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for way, people in self._people.items():
                    for person in people:
                        channel = self._ways[way].channel
                        group.create_task(self._enter(exits, slots, person, channel))
                channels = self._room.channel, DESK
                group.create_task(self._enter(exits, slots, self._witness, *channels))
            self._exits = exits.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def try_all(self, *, one_by_one: bool) -> None:
        """Take away from everybody, in any order."""
        trials = [(way, person) for way, people in self._people.items() for person in people]
        random.shuffle(trials)
        async with asyncio.TaskGroup() as group:
            for way, person in trials:
                began = time.time()
                acting = group.create_task(self._ways[way].act(person))
                ending = group.create_task(self._watch(way, person, began))
                await acting
                if one_by_one:
                    await ending
                else:
                    # So that they do not all meet the same head check.
                    await asyncio.sleep(random.uniform(0, 2 * PAUSE_SECONDS))

    async def look_at_those_who_stay(self) -> None:
        """Note who lost more than they should."""
        for way in ("left a room", "lost a permission"):
            for person in self._people[way]:
                self._note_losses(way, person, lost=self._ways[way].channel)
        await asyncio.to_thread(self._room.post, self._owner)
        await asyncio.to_thread(self._common.post, self._owner)
        for client in self._clients[self._witness.id]:
            await client.next_of("publication", self._room.channel)
            await client.next_of("publication", self._common.channel)
        for way in WAYS:
            self._note_losses(way, self._witness, lost="")

    async def _watch(self, way: str, person: Person, began: float) -> None:
        both = self._clients[person.id]
        seconds = await asyncio.gather(*(self._await_end(way, each, began) for each in both))
        self.ended[way].seconds.append(max(seconds))

    async def _await_end(self, way: str, client: SdkClient, began: float) -> float:
        wanted, wrong = self._ways[way], self.ended[way].wrong
        try:
            told = await client.next_of(wanted.event, wanted.channel, within=PATIENCE_SECONDS)
        except AssertionError as error:
            wrong.append(str(error).splitlines()[0])
            return math.inf
        if told["code"] != wanted.code:
            wrong.append(f"{client.name} ended with {told['code']}: {told['reason']}")
        seconds: float = told["at"] - began
        return seconds

    def _note_losses(self, way: str, person: Person, *, lost: str) -> None:
        for client in self._clients[person.id]:
            more = [*client.of("disconnected"), *client.of("connecting")[1:]]
            more += [event for event in client.of("unsubscribed") if event["channel"] != lost]
            self.ended[way].wrong += [f"{client.name}: {event}" for event in more]

    async def _enter(
        self, exits: AsyncExitStack, slots: asyncio.Semaphore, person: Person, *channels: str
    ) -> None:
        name = person.username
        self._pages[person] = await asyncio.to_thread(person.http.get, "/rooms/")
        both = [self._driver.client(f"{name} js"), PyClient(f"{name} py")]
        self._clients[person.id] = both
        async with slots:
            for client in both:
                exits.push_async_callback(client.close)
                await client.enter(websocket_url(self._stack.url), person)
                for channel in (self._common.channel, *filter(None, channels)):
                    await client.join(channel)

    # The ways

    async def _deactivate(self, person: Person) -> None:
        await self._moderate("deactivate", person, {})

    async def _ban(self, person: Person) -> None:
        await self._moderate("ban", person, {"reason": "Sold watches"})

    async def _moderate(self, measure: str, person: Person, form: dict[str, str]) -> None:
        await self._click(self._staff, f"/admin/accounts/user/{measure}/?ids={person.id}", form)

    async def _sign_out(self, person: Person) -> None:
        await self._click(person, "/accounts/logout/", {})

    async def _remove(self, person: Person) -> None:
        form = {"action": "remove", "username": person.username}
        await self._click(self._owner, f"/rooms/{self._room.name}/members/", form)

    async def _revoke(self, person: Person) -> None:
        assert self._web.stdin is not None
        self._web.stdin.write(f"{person.id}\n".encode())
        await self._hear_of_web("done")

    async def _click(self, session: Session, path: str, form: dict[str, str]) -> None:
        page = self._pages[session]
        answer = await asyncio.to_thread(lambda: session.post(path, form, page=page))
        assert answer.status_code == 200, f"{path}: {answer.status_code}"

    # What they need

    def _grant(self) -> None:
        ids = [person.id for person in self._people["lost a permission"]]
        members = [self._witness, *self._people["left a room"]]
        code = GRANT.format(
            room=self._room.name,
            members=[person.id for person in members],
            permission=PERMISSION,
            by_group=[*ids[::2], self._witness.id],
            by_permission=ids[1::2],
        )
        manage(self._stack, code)

    async def _open_web(self, exits: AsyncExitStack) -> None:
        stack, code = self._stack.stack, REVOKE.format(room=self._room.name, permission=PERMISSION)
        self._web = await asyncio.create_subprocess_exec(
            *(sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code),
            cwd=stack.layout.root,
            env=stack.role_environment("web"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        exits.push_async_callback(self._close_web)
        await self._hear_of_web("ready")

    async def _close_web(self) -> None:
        assert self._web.stdin is not None
        self._web.stdin.close()
        await self._web.wait()

    async def _hear_of_web(self, expected: str) -> None:
        assert self._web.stdout is not None
        line = (await self._web.stdout.readline()).decode().strip()
        assert line == expected, f"the web tier's process said {line!r}"

"""A login is revoked while its user is connected to two gateways."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.client import ChatClient, Session, open_notifications
from tests.integration.faults import metric
from tests.integration.traffic import fresh_room, open_chat, send
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

_numbers = itertools.count(time.time_ns())
REASON = "Sold watches in the lobby"

# Both print when they have committed, on the clock that the clients read, too.
BAN = """
import time
from shared.accounts.actions import do_ban
from shared.accounts.models import User
staff, user = User.objects.get(username="{staff}"), User.objects.get(username="{user}")
do_ban(staff, user, "{reason}")
print(time.time())
"""
PEOPLE = """
from shared.accounts.models import User
User.objects.create_superuser("{staff}", password="carillon")
User.objects.create_user("{user}", password="carillon")
"""


def run(stack: RunningStack, code: str, **values: str) -> str:
    """Run code as the web tier has it."""
    return stack.manage("shell", "--verbosity", "0", "--command", code.format(**values))


def fresh_people(stack: RunningStack) -> dict[str, str]:
    """Make a member of the staff and a user that only this test has."""
    number = next(_numbers)
    people = {"staff": f"staff-{number}", "user": f"user-{number}"}
    run(stack, PEOPLE, **people)
    return people


async def handshake_status(client: ChatClient) -> int:
    """Return the HTTP status that a handshake is refused with."""
    headers = {"Cookie": client.cookie}
    with pytest.raises(InvalidStatus) as refused:
        await connect(client.url, additional_headers=headers, origin=client.origin, proxy=None)
    return refused.value.response.status_code


def closed(stack: RunningStack) -> float:
    """How many connections both gateways have closed because of a ban."""
    name = "carillon_gateway_connections_closed_total"
    return sum(metric(stack, f"gateway-{number}", name, code="4503") for number in (1, 2))


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        # Wide bounds: what a machine under load still keeps. The figures are printed.
        pytest.param({}, 3.0, id="as-shipped"),
        pytest.param({"CARILLON_GATEWAY_HEAD_CHECK_SECONDS": "0"}, 3.0, id="bells-alone"),
        pytest.param({"CARILLON_BROKER_BELLS": "0"}, 10.0, id="head-check-alone"),
    ],
)
async def test_banned_user_loses_every_connection_and_others_stay(
    stack: RunningStack, settings: dict[str, str], seconds: float
) -> None:
    """Chat and notifications, on both gateways, end with 4503; then the door is shut."""
    with stack.settings(**settings):
        people = fresh_people(stack)
        alice, banned = Session(stack.url, "alice"), Session(stack.url, people["user"])
        room = fresh_room(alice)
        before = closed(stack)
        first, second = stack.gateway_url(1), stack.gateway_url(2)
        theirs = [
            open_chat(banned, first, room),
            open_chat(banned, second, room),
            open_notifications(banned, first),
            open_notifications(banned, second),
        ]
        others = [open_chat(alice, first, room), open_notifications(alice, second)]
        async with AsyncExitStack() as connections:
            for client in (*theirs, *others):
                await connections.enter_async_context(client)
            assert metric(stack, "gateway-1", "carillon_gateway_users") == 2
            code = asyncio.to_thread(run, stack, BAN, reason=REASON, **people)
            committed = float((await code).strip())
            for client in theirs:
                await client.wait_for(lambda c: c.close_code is not None, within=seconds + 5)
            assert metric(stack, "gateway-1", "carillon_gateway_users") == 1
            # Others go on.
            await send(others[0], 1)
            await others[0].wait_for(lambda c: len(c.texts) == 1)
            assert [client.close_code for client in others] == [None, None]

        late = sorted(client.closed_at - committed for client in theirs)
        print(f"closed {late[0] * 1000:.0f} to {late[-1] * 1000:.0f} ms after the commit")
        assert late[-1] <= seconds
        assert [client.close_code for client in theirs] == [4503] * 4
        assert closed(stack) == before + 4
        for client in theirs:
            assert [frame["type"] for frame in client.frames] == ["connection_established"]
            assert await handshake_status(client) == 403
        answer = banned.sign_in(people["user"])
        assert answer.url.path == "/accounts/login/"
        assert REASON in answer.text


async def test_ban_that_commits_while_the_user_connects_again_and_again(
    stack: RunningStack,
) -> None:
    """Whatever moment of a handshake it meets, no connection is left open."""
    people = fresh_people(stack)
    banned = Session(stack.url, people["user"])
    url = f"{stack.gateway_url(1).replace('http', 'ws', 1)}/ws/notifications/"
    headers = {"Cookie": banned.cookie}
    opened, refusals = [], []
    shut = asyncio.Event()

    async def knock() -> None:
        while not shut.is_set():
            try:
                socket = await connect(
                    url, additional_headers=headers, origin=banned.url, proxy=None
                )
            except InvalidStatus as refused:
                refusals.append(refused.response.status_code)
                return
            opened.append(socket)
            await asyncio.sleep(0.02)

    knocking = [asyncio.create_task(knock()) for _ in range(4)]
    try:
        await asyncio.to_thread(run, stack, BAN, reason=REASON, **people)
        async with asyncio.timeout(15):
            await asyncio.gather(*knocking)
            for socket in opened:
                await socket.wait_closed()
    finally:
        shut.set()
        await asyncio.gather(*knocking, return_exceptions=True)
    print(f"{len(opened)} connections were opened, and ended")
    assert refusals == [403] * len(knocking)
    assert len(opened) > len(knocking)
    # Some knocks may have been one too many for one user.
    assert {socket.close_code for socket in opened} - {3504} == {4503}
    assert metric(stack, "gateway-1", "carillon_gateway_users") == 0

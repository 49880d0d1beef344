"""Notifications made by the web tier, and the connections of their user on two gateways."""

from __future__ import annotations

import asyncio

import pytest

from tests.client import ChatClient, Session, open_notifications
from tests.servers import RunningStack

pytestmark = pytest.mark.servers

TELL = """
from shared.accounts.models import User
from shared.notifications.notify import notify
from shared.notifications.staff_kinds import StaffMessage
for number in range({count}):
    people = User.objects.filter(username__in=["alice", "bob"])
    notify(people, StaffMessage, title=f"{title} {{number}}", body="", url="/rooms/")
"""


async def tell(stack: RunningStack, title: str, count: int) -> None:
    """Tell alice and bob, in as many transactions, as any code of the web tier may."""
    code = TELL.format(title=title, count=count)
    await asyncio.to_thread(stack.manage, "shell", "--verbosity", "0", "--command", code)


def ids(client: ChatClient) -> list[int]:
    """Return which notifications a connection got, in the order they came."""
    return [frame["id"] for frame in client.of_type("notification")]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="as-shipped"),
        pytest.param({"CARILLON_GATEWAY_HEAD_CHECK_SECONDS": "0"}, id="bells-alone"),
        pytest.param({"CARILLON_BROKER_BELLS": "0"}, id="head-check-alone"),
    ],
)
async def test_each_connection_of_each_recipient_gets_each_notification_once(
    stack: RunningStack, settings: dict[str, str]
) -> None:
    """On both gateways, in the log's order; who was away gets the same when it comes back."""
    with stack.settings(**settings):
        alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
        first, second = stack.gateway_url(1), stack.gateway_url(2)
        hers = [open_notifications(alice, first), open_notifications(alice, second)]
        his = [open_notifications(bob, first), open_notifications(bob, second)]
        everyone = [*hers, *his]
        async with hers[0], hers[1], his[0], his[1]:
            await tell(stack, "news", 20)
            for client in everyone:
                await client.wait_for(lambda c: len(c.of_type("notification")) >= 20)
            # Had anything come twice, it would have come before these.
            await tell(stack, "later", 1)
            for client in everyone:
                await client.wait_for(lambda c: c.of_type("notification")[-1]["title"] == "later 0")
        expected = [*(f"news {number}" for number in range(20)), "later 0"]
        for client in everyone:
            frames = client.of_type("notification")
            assert [frame["title"] for frame in frames] == expected
            start = frames[0]["offset"]
            assert [frame["offset"] for frame in frames] == list(range(start, start + 21))
            assert not client.of_type("reset")
        for one, other in (hers, his):
            assert ids(one) == ids(other)
            # From the log it comes with the count of now, so the last one is right in any case.
            assert one.frames[-1]["unread"] == other.frames[-1]["unread"]
        assert set(ids(hers[0])).isdisjoint(ids(his[0]))

        third = hers[0].of_type("notification")[2]
        since = f"{third['epoch']}.{third['offset']}"
        async with open_notifications(alice, second, since=since) as back:
            await back.wait_for(lambda c: len(c.of_type("notification")) == 18)
        assert ids(back) == ids(hers[0])[3:]

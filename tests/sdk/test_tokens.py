"""Unmodified SDKs with tokens instead of a session: connecting, renewing, and being refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.client import Session
from tests.sdk.client import SdkClient, TokenSource, websocket_url
from tests.sdk.conftest import EachSdk, MakeClient
from tests.sdk.room import Room, message_of, user_id_of
from tests.servers import TOKEN_SECRET, RunningStack

pytestmark = pytest.mark.servers

OTHER_SECRET = TOKEN_SECRET[::-1]


def sign(user: str, lifetime: float, secret: str = TOKEN_SECRET, **claims: Any) -> str:
    """Return a token as the other server makes it, with whatever claims."""
    payload = {"sub": user, "exp": int(time.time() + lifetime), **claims}
    # Not `jwt.encode`, which looks at the claims, and would not sign all of them.
    return jwt.api_jws.encode(json.dumps(payload).encode(), secret, algorithm="HS256")


class Fetch:
    """
    What an application does when its SDK wants a token.

    Attributes:
        count: how often it was asked.
    """

    def __init__(self, make: Callable[[], str]) -> None:
        """Take what makes a token."""
        self.count = 0
        self._make = make

    async def __call__(self) -> str:
        self.count += 1
        return await asyncio.to_thread(self._make)


def fetch_ours(session: Session, **wish: str) -> str:
    """Ask our own server for a token, as a page does."""
    session.http.get("/rooms/")
    csrf = next(v for n, v in session.http.cookies.items() if "csrf" in n)
    headers = {"Origin": session.url, "X-CSRFToken": csrf}
    answer = session.http.post("/api/v1/realtime/token", json=wish, headers=headers)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def enter(
    client: SdkClient, url: str, *, token: str = "", get_token: TokenSource | None = None
) -> None:
    await client.create(websocket_url(url), token=token, get_token=get_token)
    await client.connect()


async def test_token_from_our_own_server(stack: RunningStack, sdk: MakeClient) -> None:
    """The SDK asks for one by itself; with it the client is its user, without any cookie."""
    alice = Session(stack.url, "alice")
    fetch = Fetch(lambda: fetch_ours(alice))
    client = sdk("alice")
    await enter(client, stack.url, get_token=fetch)
    await client.next_of("connected")
    assert fetch.count == 1
    room = Room(stack, alice)
    await client.join(room.channel)
    await room.say(client)
    heard = await client.next_of("publication", room.channel)
    assert heard["data"]["username"] == "alice"


async def test_token_is_renewed_in_time(stack: RunningStack, each_sdk: EachSdk) -> None:
    """Each time it runs out the SDK shows another, and the connection goes on."""

    async def conversation(sdk: MakeClient) -> None:
        alice = Session(stack.url, "alice")
        user = user_id_of(alice)
        fetch = Fetch(lambda: sign(user, 6))
        client = sdk("alice")
        await enter(client, stack.url, get_token=fetch)
        await client.next_of("connected")
        room = Room(stack, alice)
        await client.join(room.channel)
        async with asyncio.timeout(30):
            while fetch.count < 3:  # noqa: ASYNC110 - of what an SDK does by itself
                await asyncio.sleep(0.1)
        await room.say(client)
        await client.next_of("publication", room.channel)
        assert len(client.of("connected")) == 1
        assert client.of("error") == []

    await each_sdk(conversation)


async def test_expired_token_is_replaced(stack: RunningStack, sdk: MakeClient) -> None:
    """A token that has run out before it is shown costs one more attempt."""
    user = user_id_of(Session(stack.url, "alice"))
    fetch = Fetch(lambda: sign(user, 600))
    client = sdk("alice")
    await enter(client, stack.url, token=sign(user, -60), get_token=fetch)
    await client.next_of("connected")
    assert fetch.count == 1


async def test_expired_token_that_nobody_renews(stack: RunningStack, each_sdk: EachSdk) -> None:
    """The connection ends 25 s after the token did; with a new one the client is back."""

    async def conversation(sdk: MakeClient) -> None:
        user = user_id_of(Session(stack.url, "alice"))
        room = Room(stack, Session(stack.url, "alice"))
        client = sdk("alice")

        def make() -> str:
            # However long it takes to connect, and however often the SDK tries before the end.
            if not client.of("connected"):
                return sign(user, 3)
            return sign(user, 600) if len(client.of("connecting")) > 1 else _fail()

        await enter(client, stack.url, get_token=Fetch(make))
        await client.next_of("connected")
        await client.join(room.channel)
        ended = await client.next_of("connecting", number=2, within=45)
        assert ended["code"] == 3005
        assert 23 <= ended["at"] - client.of("connected")[0]["at"] <= 35
        await client.next_of("connected", number=2, within=60)
        back = await client.next_of("subscribed", room.channel, number=2)
        assert back["recovered"]

    await each_sdk(conversation)


async def test_expired_token_at_a_renewal(stack: RunningStack, each_sdk: EachSdk) -> None:
    """The connection ends, and the client comes back with another one."""

    async def conversation(sdk: MakeClient) -> None:
        user = user_id_of(Session(stack.url, "alice"))
        client = sdk("alice")

        def make() -> str:
            # However long it takes to connect.
            if not client.of("connected"):
                return sign(user, 3)
            return sign(user, 600 if len(client.of("connecting")) > 1 else -60)

        await enter(client, stack.url, get_token=Fetch(make))
        await client.next_of("connected")
        assert (await client.next_of("connecting", number=2, within=30))["code"] == 3005
        await client.next_of("connected", number=2, within=30)
        assert client.of("disconnected") == []

    await each_sdk(conversation)


def _fail() -> str:
    raise ConnectionError("the application's server is away")


@pytest.mark.parametrize(
    ("secret", "claims"),
    [
        pytest.param(OTHER_SECRET, {}, id="foreign-key"),
        pytest.param(TOKEN_SECRET, {"channel": "chat:lobby"}, id="subscription-token"),
        pytest.param(TOKEN_SECRET, {"sub": "1000000"}, id="nobody-here"),
        pytest.param(TOKEN_SECRET, {"sub": 7}, id="no-string"),
    ],
)
async def test_invalid_token(
    stack: RunningStack, sdk: MakeClient, secret: str, claims: dict[str, Any]
) -> None:
    """It is refused with 3500, and the SDK neither comes back nor asks for another."""
    user = user_id_of(Session(stack.url, "alice"))
    fetch = Fetch(lambda: sign(user, 600))
    client = sdk("alice")
    token = sign(user, 600, secret, **claims)
    await enter(client, stack.url, token=token, get_token=fetch)
    ended = await client.next_of("disconnected")
    assert ended["code"] == 3500
    assert ended["reason"]
    assert fetch.count == 0
    assert client.of("connected") == []


async def test_subscription_token(stack: RunningStack, each_sdk: EachSdk) -> None:
    """It lets in whom the namespace would not, and is renewed as long as the SDK gets others."""

    async def conversation(sdk: MakeClient) -> None:
        alice, bob = Session(stack.url, "alice"), Session(stack.url, "bob")
        room = Room(stack, alice, members_only=True)
        user = user_id_of(bob)
        fetch = Fetch(lambda: sign(user, 3, channel=room.channel))
        guest = sdk("bob")
        await guest.enter(websocket_url(stack.url), bob)
        await guest.join(room.channel, get_token=fetch)
        async with asyncio.timeout(30):
            while fetch.count < 3:  # noqa: ASYNC110 - of what an SDK does by itself
                await asyncio.sleep(0.1)
        room.post(alice)
        heard = await guest.next_of("publication", room.channel)
        assert message_of(heard["data"]) == room.acked[0]
        assert len(guest.of("subscribed", room.channel)) == 1
        assert guest.of("error") == []

    await each_sdk(conversation)


async def test_invalid_subscription_token(stack: RunningStack, sdk: MakeClient) -> None:
    """Badly signed, it ends the subscription with 103; for another channel, the connection."""
    alice = Session(stack.url, "alice")
    room, other = Room(stack, alice), Room(stack, alice)
    user = user_id_of(alice)
    client = sdk("alice")
    await client.enter(websocket_url(stack.url), alice)
    forged = sign(user, 600, OTHER_SECRET, channel=room.channel)
    await client.subscribe(room.channel, token=forged)
    assert (await client.next_of("unsubscribed", room.channel))["code"] == 103
    assert client.of("disconnected") == []
    await client.subscribe(other.channel, token=sign(user, 600, channel=room.channel))
    assert (await client.next_of("disconnected"))["code"] == 3500

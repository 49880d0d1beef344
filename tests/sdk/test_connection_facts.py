"""
What the published SDKs do with what a server says of their connection: facts that ours relies on.

A new version of an SDK that does otherwise shows here, beside the sentence that relies on it.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.sdk.client import CommandFailed, SdkClient
from tests.sdk.conftest import EachSdk, MakeClient
from tests.sdk.scripted import CHANNEL, EPOCH, ScriptedServer, giving, published

pytestmark = pytest.mark.thorough


async def test_silence(each_sdk: EachSdk) -> None:
    """After ping and 10 s without anything it reconnects."""

    async def conversation(sdk: MakeClient) -> None:
        async with ScriptedServer() as server:
            pinging = {"client": "c", "version": "0", "ping": 1, "pong": True}
            server.answers["connect"] = lambda command: pinging
            client = sdk("client")
            await client.create(server.url)
            await client.connect()
            connected = await client.next_of("connected")
            again = await client.next_of("connected", number=2, within=20)
            assert 10.5 <= again["at"] - connected["at"] <= 14

    await each_sdk(conversation)


async def test_subscribes_come_with_connect(sdk: MakeClient, server: ScriptedServer) -> None:
    """JS sends connect and its subscribes in one frame, Py when it is connected."""
    client = sdk("client")
    await client.create(server.url)
    await client.subscribe(CHANNEL)
    await client.connect()
    await client.next_of("subscribed", CHANNEL)
    first = [next(iter(set(command) - {"id"})) for command in server.frames[0][0]]
    assert first == (["connect", "subscribe"] if client.sdk == "js" else ["connect"])


@pytest.mark.parametrize("code", [3000, 3001, 3499, 4000, 4499])
async def test_disconnect_that_is_not_final(
    client: SdkClient, server: ScriptedServer, code: int
) -> None:
    """By push or by close frame: it comes back."""
    await server.push("", disconnect={"code": code, "reason": "for now"})
    await client.next_of("connected", number=2)
    await server.close(code, "for now")
    await client.next_of("connected", number=3)


@pytest.mark.parametrize("code", [3500, 3501, 3999, 4500, 4503, 4999])
async def test_disconnect_push_that_is_final(
    client: SdkClient, server: ScriptedServer, code: int
) -> None:
    """It says so, with the reason, and stays away."""
    await server.push("", disconnect={"code": code, "reason": "for good"})
    ended = await client.next_of("disconnected")
    assert (ended["code"], ended["reason"]) == (code, "for good")
    assert server.connections == 1


async def test_final_close_with_a_reason(client: SdkClient, server: ScriptedServer) -> None:
    """A close frame alone does where it has a reason."""
    await server.close(3501, "bad request")
    ended = await client.next_of("disconnected")
    assert (ended["code"], ended["reason"]) == (3501, "bad request")
    assert server.connections == 1


async def test_final_close_without_a_reason(client: SdkClient, server: ScriptedServer) -> None:
    """JS comes back, for ever: hence the push before the close."""
    await server.close(3501)
    if client.sdk == "js":
        await client.next_of("connected", number=2)
    else:
        assert (await client.next_of("disconnected"))["code"] == 3501


async def test_reason_that_is_json(client: SdkClient, server: ScriptedServer) -> None:
    """JS takes it as advice and drops the code: a reason is never JSON."""
    await server.close(3501, "42")
    if client.sdk == "js":
        ended = await client.next_of("disconnected")
        assert ended.get("reason") is None
    else:
        assert (await client.next_of("disconnected"))["reason"] == "42"


async def test_push_and_then_the_close(client: SdkClient, server: ScriptedServer) -> None:
    """The push decides; the close frame behind it, whose reason is lost, is nothing any more."""
    await server.push("", disconnect={"code": 3503, "reason": "force disconnect"})
    await server.close(3503)
    ended = await client.next_of("disconnected")
    assert (ended["code"], ended["reason"]) == (3503, "force disconnect")
    assert (len(client.of("disconnected")), server.connections) == (1, 1)


async def test_frame_that_is_too_large(client: SdkClient, server: ScriptedServer) -> None:
    """1009 is final for JS; Py tries again."""
    await server.close(1009)
    if client.sdk == "js":
        assert (await client.next_of("disconnected"))["code"] == 3
    else:
        await client.next_of("connected", number=2)


@pytest.mark.parametrize(
    ("error", "comes_back"),
    [
        ({"code": 100, "message": "internal server error", "temporary": True}, True),
        ({"code": 111, "message": "too many requests", "temporary": True}, True),
        ({"code": 103, "message": "permission denied"}, False),
        ({"code": 101, "message": "unauthorized"}, False),
    ],
    ids=lambda value: str(value.get("code")) if isinstance(value, dict) else None,
)
async def test_error_for_connect(
    sdk: MakeClient, server: ScriptedServer, error: dict[str, Any], comes_back: bool
) -> None:
    """Temporary errors are tried again, others end the client."""
    server.answers["connect"] = lambda command: {"error": error}
    client = sdk("client")
    await client.create(server.url)
    await client.connect()
    if comes_back:
        await server.wait_for(lambda s: len(s.commands("connect")) == 2)
        assert client.of("disconnected") == []
    else:
        ended = await client.next_of("disconnected")
        assert (ended["code"], ended["reason"]) == (error["code"], error["message"])
        assert server.connections == 1


async def test_expired_connection_token(sdk: MakeClient, server: ScriptedServer) -> None:
    """After 109 a new token is asked for."""
    server.answers["connect"] = lambda command: (
        {"error": {"code": 109, "message": "token expired"}}
        if command["connect"].get("token") == "old"
        else {"client": "c", "version": "0", "ping": 25, "pong": True}
    )
    client = sdk("client")
    await client.create(server.url, token="old", get_token=giving("new"))
    await client.connect()
    await client.next_of("connected")
    assert [c["connect"].get("token") for c in server.commands("connect")] == ["old", "new"]


async def test_refresh(sdk: MakeClient, server: ScriptedServer) -> None:
    """`ttl` seconds after the connect reply the token is renewed, and again after the reply's."""
    expiring = {"expires": True, "ttl": 1, "version": "0"}
    server.answers["connect"] = lambda c: {"client": "c", **expiring, "ping": 25, "pong": True}
    server.answers["refresh"] = lambda c: {"client": "c", **expiring}
    client = sdk("client")
    await client.create(server.url, token="first", get_token=giving("next"))
    await client.connect()
    await server.wait_for(lambda s: len(s.commands("refresh")) == 2)
    assert {c["refresh"]["token"] for c in server.commands("refresh")} == {"next"}
    assert client.of("error") == []
    assert server.connections == 1


async def test_error_for_refresh(sdk: MakeClient, server: ScriptedServer) -> None:
    """Also 109 is final here: to have a client fetch another token its connection is closed."""
    expiring = {"expires": True, "ttl": 1, "version": "0"}
    server.answers["connect"] = lambda c: {"client": "c", **expiring, "ping": 25, "pong": True}
    server.answers["refresh"] = lambda c: {"error": {"code": 109, "message": "token expired"}}
    client = sdk("client")
    await client.create(server.url, get_token=giving("token"))
    await client.connect()
    assert (await client.next_of("disconnected"))["code"] == 109


async def test_no_token_any_more(sdk: MakeClient, server: ScriptedServer) -> None:
    """An application that has none ends its client by itself."""
    client = sdk("client")
    await client.create(server.url, get_token=giving(None))
    await client.connect()
    assert (await client.next_of("disconnected"))["code"] == 1
    assert server.commands("connect") == []


async def test_no_answer(each_sdk: EachSdk) -> None:
    """A command without a reply fails after 5 s."""

    async def conversation(sdk: MakeClient) -> None:
        async with ScriptedServer() as server:
            del server.answers["publish"]
            client = sdk("client")
            await client.create(server.url)
            await client.connect()
            await client.next_of("connected")
            began = time.monotonic()
            with pytest.raises(CommandFailed) as failed:
                await client.publish(CHANNEL, {})
            assert failed.value.code < 100
            assert 4.5 <= time.monotonic() - began <= 7

    await each_sdk(conversation)


async def test_server_side_subscriptions(sdk: MakeClient, server: ScriptedServer) -> None:
    """They come back in `connect.subs` with their positions; one that is missing has ended."""
    position = {"recoverable": True, "positioned": True, "epoch": EPOCH, "offset": 4}
    subs = {"user:1": position, "news:all": {}}
    server.answers["connect"] = lambda c: {
        "client": "c",
        "version": "0",
        "ping": 25,
        "pong": True,
        "subs": subs,
    }
    client = sdk("client")
    await client.create(server.url)
    await client.connect()
    for channel in subs:
        assert (await client.next_of("subscribed", channel))["server_side"]
    await server.push("user:1", pub=published(5))
    assert (await client.next_of("publication", "user:1"))["offset"] == 5
    del subs["news:all"]
    await server.close(3000, "again")
    await client.next_of("connected", number=2)
    asked = server.commands("connect")[1]["connect"]["subs"]
    assert asked == {"user:1": {"recover": True, "epoch": EPOCH, "offset": 5}}
    await client.next_of("unsubscribed", "news:all")

"""
What the published SDKs do with what a server says in a channel: facts that ours relies on.

A new version of an SDK that does otherwise shows here, beside the sentence that relies on it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sdk.client import CommandFailed, SdkClient
from tests.sdk.scripted import CHANNEL, EPOCH, ScriptedServer, giving, published, push_of

pytestmark = pytest.mark.thorough


def offsets(client: SdkClient) -> list[int]:
    return [event["offset"] for event in client.heard(CHANNEL)]


async def test_many_messages_in_a_frame(client: SdkClient, server: ScriptedServer) -> None:
    """Objects are split at newlines, in order; one more at the end is nothing."""
    await client.join(CHANNEL)
    await server.say_text("\n".join(json.dumps(push_of(offset)) for offset in (1, 2, 3)) + "\n")
    await client.next_of("publication", CHANNEL, number=3)
    assert offsets(client) == [1, 2, 3]


async def test_blank_line_in_a_frame(client: SdkClient, server: ScriptedServer) -> None:
    """JS passes over it; Py ends for good: there must be none."""
    await client.join(CHANNEL)
    await server.say_text(f"{json.dumps(push_of(1))}\n\n{json.dumps(push_of(2))}")
    if client.sdk == "js":
        await client.next_of("publication", CHANNEL, number=2)
    else:
        assert (await client.next_of("disconnected"))["code"] == 2


async def test_ping_among_other_messages(client: SdkClient, server: ScriptedServer) -> None:
    """A ping is answered wherever it stands, once each."""
    await client.join(CHANNEL)
    await server.say(push_of(1), {}, push_of(2), {})
    await server.wait_for(lambda s: len(s.commands("pong")) == 2)
    assert offsets(client) == [1, 2]


async def test_flag_of_subscribe(client: SdkClient, server: ScriptedServer) -> None:
    """Both always offer channel compaction, and go without it."""
    await client.join(CHANNEL)
    assert server.commands("subscribe")[0]["subscribe"]["flag"] == 1


async def test_position_after_a_recovery(client: SdkClient, server: ScriptedServer) -> None:
    """The position is the reply's, then that of each publication: what it asks for next."""
    await client.join(CHANNEL)
    await server.push(CHANNEL, pub=published(1))
    await client.next_of("publication", CHANNEL)

    def recovered(command: dict[str, Any]) -> dict[str, Any]:
        asked = command["subscribe"]
        return {
            "recoverable": True,
            "positioned": True,
            "was_recovering": True,
            "recovered": True,
            "epoch": EPOCH,
            "offset": asked["offset"],
            "publications": [published(asked["offset"] + 1), published(asked["offset"] + 2)],
        }

    server.answers["subscribe"] = recovered
    for number in (2, 3):
        await server.close(3000, "again")
        await client.next_of("subscribed", CHANNEL, number=number)
    await client.next_of("publication", CHANNEL, number=5)
    asked = [command["subscribe"] for command in server.commands("subscribe")]
    assert [each.get("recover", False) for each in asked] == [False, True, True]
    assert [each.get("offset") for each in asked[1:]] == [1, 3]
    assert {each["epoch"] for each in asked[1:]} == {EPOCH}
    assert offsets(client) == [1, 2, 3, 4, 5]


async def test_publication_before_the_reply(client: SdkClient, server: ScriptedServer) -> None:
    """What comes before the subscribe reply is for nobody: it must not come, or it is lost."""
    del server.answers["subscribe"]
    await client.subscribe(CHANNEL)
    await server.wait_for(lambda s: s.commands("subscribe"))
    number = server.commands("subscribe")[0]["id"]
    position = {"recoverable": True, "positioned": True, "epoch": EPOCH}
    await server.say(push_of(1), {"id": number, "subscribe": position}, push_of(2))
    await client.next_of("subscribed", CHANNEL)
    await client.next_of("publication", CHANNEL)
    assert offsets(client) == [2]


async def test_offsets_are_not_checked(client: SdkClient, server: ScriptedServer) -> None:
    """What comes is handed on, whatever its offset, and the last one is the position."""
    await client.join(CHANNEL)
    for offset in (1, 2, 2, 5, 4):
        await server.push(CHANNEL, pub=published(offset))
    await client.next_of("publication", CHANNEL, number=5)
    assert offsets(client) == [1, 2, 2, 5, 4]
    await server.close(3000, "again")
    await client.next_of("subscribed", CHANNEL, number=2)
    assert server.commands("subscribe")[1]["subscribe"]["offset"] == 4


async def test_refused_recovery(client: SdkClient, server: ScriptedServer) -> None:
    """The head of the reply is where it asks from the next time."""
    await client.join(CHANNEL)
    server.answers["subscribe"] = lambda command: {
        "recoverable": True,
        "positioned": True,
        "was_recovering": True,
        "epoch": "other",
        "offset": 90,
    }
    for number in (2, 3):
        await server.close(3000, "again")
        told = await client.next_of("subscribed", CHANNEL, number=number)
        assert (told["was_recovering"], told["recovered"]) == (True, False)
        assert told["position"] == {"offset": 90, "epoch": "other"}
    asked = server.commands("subscribe")[2]["subscribe"]
    assert (asked["offset"], asked["epoch"]) == (90, "other")


@pytest.mark.parametrize("missing", ["code", "reason"])
@pytest.mark.parametrize("kind", ["disconnect", "unsubscribe"])
async def test_push_that_is_not_whole(
    client: SdkClient, server: ScriptedServer, kind: str, missing: str
) -> None:
    """JS goes on somehow; Py ends for good, as after nonsense."""
    await client.join(CHANNEL)
    whole = {"code": 3503 if kind == "disconnect" else 2000, "reason": "it was time"}
    del whole[missing]
    await server.push("" if kind == "disconnect" else CHANNEL, **{kind: whole})
    if client.sdk == "py":
        assert (await client.next_of("disconnected"))["code"] == 2
    elif kind == "disconnect" and missing == "reason":
        assert (await client.next_of("disconnected"))["code"] == 3503
    elif kind == "disconnect":
        await client.next_of("connected", number=2)
    elif missing == "reason":
        assert (await client.next_of("unsubscribed"))["code"] == 2000
    else:
        await client.next_of("subscribed", CHANNEL, number=2)


@pytest.mark.parametrize("code", [2000, 2100, 2499])
async def test_unsubscribe_that_is_final(
    client: SdkClient, server: ScriptedServer, code: int
) -> None:
    """The subscription ends and stays ended."""
    await client.join(CHANNEL)
    await server.push(CHANNEL, unsubscribe={"code": code, "reason": "for good"})
    ended = await client.next_of("unsubscribed", CHANNEL)
    assert (ended["code"], ended["reason"]) == (code, "for good")
    assert len(server.commands("subscribe")) == 1


@pytest.mark.parametrize("code", [2500, 2501, 2600])
async def test_unsubscribe_that_is_not_final(
    client: SdkClient, server: ScriptedServer, code: int
) -> None:
    """It subscribes again from where it stood."""
    await client.join(CHANNEL)
    await server.push(CHANNEL, pub=published(1))
    await server.push(CHANNEL, unsubscribe={"code": code, "reason": "insufficient state"})
    await client.next_of("subscribed", CHANNEL, number=2)
    asked = server.commands("subscribe")[1]["subscribe"]
    assert (asked["recover"], asked["offset"], asked["epoch"]) == (True, 1, EPOCH)


@pytest.mark.parametrize("by", ["unsubscribe", "disconnect"])
async def test_invalidated_state(client: SdkClient, server: ScriptedServer, by: str) -> None:
    """2502 and 3014 drop the position: the epoch that then comes can match none."""
    await client.join(CHANNEL)
    await server.push(CHANNEL, pub=published(1))
    if by == "unsubscribe":
        await server.push(CHANNEL, unsubscribe={"code": 2502, "reason": "state invalidated"})
    else:
        await server.push("", disconnect={"code": 3014, "reason": "state invalidated"})
    await client.next_of("subscribed", CHANNEL, number=2)
    asked = server.commands("subscribe")[1]["subscribe"]
    assert (asked["recover"], asked.get("offset", 0), asked["epoch"]) == (True, 0, "_")


@pytest.mark.parametrize(
    ("error", "comes_back"),
    [
        ({"code": 100, "message": "internal server error", "temporary": True}, True),
        ({"code": 109, "message": "token expired"}, True),
        ({"code": 103, "message": "permission denied"}, False),
        ({"code": 112, "message": "unrecoverable position"}, False),
    ],
    ids=lambda value: str(value.get("code")) if isinstance(value, dict) else None,
)
async def test_error_for_subscribe(
    client: SdkClient, server: ScriptedServer, error: dict[str, Any], comes_back: bool
) -> None:
    """Temporary errors and 109 are tried again, others end the subscription."""
    server.answers["subscribe"] = lambda command: {"error": error}
    await client.subscribe(CHANNEL, get_token=giving("token"))
    if comes_back:
        await server.wait_for(lambda s: len(s.commands("subscribe")) == 2)
        assert client.of("unsubscribed") == []
    else:
        ended = await client.next_of("unsubscribed", CHANNEL)
        assert (ended["code"], ended["reason"]) == (error["code"], error["message"])


async def test_subscription_token_is_renewed(client: SdkClient, server: ScriptedServer) -> None:
    """`ttl` seconds after the subscribe reply, naming its channel."""
    server.answers["subscribe"] = lambda command: {"expires": True, "ttl": 1}
    server.answers["sub_refresh"] = lambda command: {"expires": True, "ttl": 1000}
    await client.subscribe(CHANNEL, get_token=giving("token"))
    await server.wait_for(lambda s: s.commands("sub_refresh"))
    assert server.commands("sub_refresh")[0]["sub_refresh"] == {
        "channel": CHANNEL,
        "token": "token",
    }


async def test_error_for_sub_refresh(client: SdkClient, server: ScriptedServer) -> None:
    """109 ends the subscription, unless it is said to be temporary."""
    server.answers["subscribe"] = lambda command: {"expires": True, "ttl": 1}
    server.answers["sub_refresh"] = lambda command: {
        "error": {"code": 109, "message": "token expired"}
    }
    await client.subscribe(CHANNEL, get_token=giving("token"))
    assert (await client.next_of("unsubscribed", CHANNEL))["code"] == 109


async def test_server_side_subscription_while_connected(
    client: SdkClient, server: ScriptedServer
) -> None:
    """Pushes `subscribe` and `unsubscribe` make and end one."""
    await server.push("news:all", subscribe={"recoverable": True, "epoch": EPOCH, "offset": 1})
    await client.next_of("subscribed", "news:all")
    await server.push("news:all", pub=published(2))
    await client.next_of("publication", "news:all")
    await server.push("news:all", unsubscribe={"code": 2000, "reason": "server unsubscribe"})
    await client.next_of("unsubscribed", "news:all")


async def test_error_without_a_message(client: SdkClient, server: ScriptedServer) -> None:
    """JS does without; Py breaks on it, and asks for ever where it asks by itself."""
    for method in ("publish", "subscribe"):
        server.answers[method] = lambda command: {"error": {"code": 103}}
    with pytest.raises(CommandFailed if client.sdk == "js" else KeyError):
        await client.publish(CHANNEL, {})
    await client.subscribe(CHANNEL)
    if client.sdk == "js":
        assert (await client.next_of("unsubscribed", CHANNEL))["code"] == 103
    else:
        await server.wait_for(lambda s: len(s.commands("subscribe")) == 3)


async def test_large_frame(client: SdkClient, server: ScriptedServer) -> None:
    """A frame of 512 KiB is taken."""
    await client.join(CHANNEL)
    text = "x" * (512 * 1024 - 200)
    await server.push(CHANNEL, pub={"offset": 1, "data": {"text": text}})
    heard = await client.next_of("publication", CHANNEL)
    assert heard["data"]["text"] == text


async def test_data_of_every_kind(client: SdkClient, server: ScriptedServer) -> None:
    """Data is any JSON value, and unknown members are ignored."""
    await client.join(CHANNEL)
    values: list[Any] = [{"a": [1, None]}, [1, 2], "words", 7, True, "\u2028 \U0001f600"]
    for offset, value in enumerate(values, start=1):
        pub = {"offset": offset, "data": value, "new": {"x": 1}}
        await server.push(CHANNEL, pub=pub, id_=5)
    await client.next_of("publication", CHANNEL, number=len(values))
    assert [event["data"] for event in client.heard(CHANNEL)] == values

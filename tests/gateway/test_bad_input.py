from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from services.gateway.runtime import Gateway
from shared.accounts.models import User
from shared.chat.models import ChatRoom, Message
from tests.gateway.peer import Peer

pytestmark = pytest.mark.django_db(transaction=True)
type CookieOf = Callable[[User], str]

MALFORMED = {
    "empty": "",
    "blank": "  ",
    "not JSON": "hello",
    "array": '[{"message":"x"}]',
    "number": "17",
    "null": "null",
    "NaN": '{"message":NaN}',
    "trailing data": '{"message":"x"} y',
    "two objects": '{"message":"x"}{"message":"y"}',
    "key twice": '{"message":"x","message":"y"}',
    "too deep": '{"message":' + "[" * 17 + "]" * 17 + "}",
    "bottomless": "[" * 100_000,
    "too many keys": "{" + ",".join(f'"k{n}":0' for n in range(257)) + "}",
    "endless integer": '{"message":' + "1" * 60_000 + "}",
    "infinite number": '{"message":1e999}',
    "NUL": '{"message":"a\\u0000b"}',
    "half a surrogate pair": '{"message":"a\\ud800b"}',
    "BOM": '\ufeff{"message":"x"}',
}
WRONG = {
    "no message": "{}",
    "number": '{"message":5}',
    "null": '{"message":null}',
    "boolean": '{"message":true}',
    "array": '{"message":["x"]}',
    "object": '{"message":{"text":"x"}}',
    "client_id a number": '{"message":"x","client_id":7}',
    "client_id an object": '{"message":"x","client_id":{}}',
}
REFUSED = {
    "empty": '{"message":""}',
    "spaces": '{"message":" \\t\\n\\u00a0\\u3000 "}',
    "zero-width alone": '{"message":"\\u200b\\u200d\\u2060\\ufeff"}',
    "8,001 characters": '{"message":"' + "x" * 8_001 + '"}',
}


async def still_works(peer: Peer) -> None:
    await peer.send(message="still here")
    assert (await peer.receive())["message"] == "still here"


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """No input of a client is an error of ours."""
    caplog.set_level(logging.DEBUG)
    yield
    assert not [r for r in caplog.get_records("call") if r.exc_info or r.levelno >= logging.ERROR]


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, text: str
) -> None:
    """What is not one sane JSON object is answered by 107; the connection stays."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(text)
        frame = await peer.receive()
        assert (frame["type"], frame["code"]) == ("error", 107)
        assert frame["message"].endswith(".")
        await still_works(peer)


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
async def test_wrong_type(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, text: str
) -> None:
    """A missing key or a value of another type is answered by 107 naming the field."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(text)
        frame = await peer.receive()
        assert (frame["type"], frame["code"]) == ("error", 107)
        assert frame["field"] in {"message", "client_id"}
        await still_works(peer)
        assert await gateway.database.run(Message.objects.count) == 1


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
async def test_content_refused(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, text: str
) -> None:
    """A text that cannot be taken is answered by 400 naming the field, and is not stored."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(text)
        frame = await peer.receive()
        assert (frame["type"], frame["code"], frame["field"]) == ("error", 400, "message")
        await still_works(peer)
        assert await gateway.database.run(Message.objects.count) == 1


@pytest.mark.parametrize("client_id", ["", " ", "a b", "x" * 65, "a\n", "é"])
async def test_client_id_refused(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf, client_id: str
) -> None:
    """A client_id of another form is refused by name, and not echoed."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(message="x", client_id=client_id)
        frame = await peer.receive()
        assert (frame["type"], frame["code"], frame["field"]) == ("error", 400, "client_id")
        assert "client_id" not in frame
        await still_works(peer)


async def test_longest_message(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """8,000 characters are taken, whatever their width."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        await peer.send(message="鐘" * 8_000)
        assert (await peer.receive())["message"] == "鐘" * 8_000
        await peer.send(message='"' * 8_000)
        assert (await peer.receive())["message"] == '"' * 8_000


async def test_binary_frame(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A binary frame ends the connection with a terminal code, whatever it holds."""
    for data in (b'{"message":"x"}', b"\xff\x00", b""):
        async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
            await peer.send_bytes(data)
            assert await peer.close_code() == 3501
    assert await gateway.database.run(Message.objects.count) == 0


async def test_ten_malformed_messages(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """The tenth malformed message of a minute ends the connection with a terminal code."""
    async with Peer("/ws/chat/lobby/", cookie_of(alice)) as peer:
        for _ in range(9):
            await peer.send("{")
            assert (await peer.receive())["code"] == 107
        await still_works(peer)
        await peer.send("{")
        frames, code = await peer.until_closed()
        assert [frame["code"] for frame in frames] == [107]
        assert code == 3501


async def test_unknown_channel_takes_no_messages(
    gateway: Gateway, alice: User, lobby: ChatRoom, cookie_of: CookieOf
) -> None:
    """A channel that clients may only hear refuses what they send and closes."""
    async with Peer("/ws/announcements/all/", cookie_of(alice)) as peer:
        await peer.send(message="I am the staff", client_id="x1")
        frames, code = await peer.until_closed()
        assert [(f["code"], f["client_id"]) for f in frames] == [(103, "x1")]
        assert code == 3507

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.centrifuge.commands import (
    METHODS,
    Command,
    Connect,
    History,
    Pong,
    Publish,
    StreamPosition,
    Subscribe,
    Unreadable,
    read,
)
from shared.realtime.exceptions import ErrorCode, Refused


def one(frame: str) -> Command:
    """The only command of a frame."""
    (command,) = read(frame)
    return command


def test_frame_of_several_commands_keeps_their_order() -> None:
    """A browser's library sends its connect and its subscribes in one frame."""
    frame = '{"connect":{},"id":1}\n\n{"subscribe":{"channel":"chat:lobby"},"id":2}\n{}\n'
    assert [(each.id, each.method) for each in read(frame)] == [
        (1, "connect"),
        (2, "subscribe"),
        (0, "pong"),
    ]


def test_request_is_read_by_its_schema() -> None:
    """Members have the names and types of `client.proto`; those that are unknown are ignored."""
    frame = (
        '{"id":7,"subscribe":{"channel":"chat:lobby","recover":true,"epoch":"e-1","offset":12,'
        '"flag":3,"wishes":{"more":1}},"colour":"red"}'
    )
    assert one(frame).request == Subscribe(
        channel="chat:lobby", recover=True, epoch="e-1", offset=12, flag=3
    )


def test_nested_requests_are_read_too() -> None:
    """Positions come inside requests."""
    frame = '{"id":1,"history":{"channel":"a:b","limit":-1,"since":{"offset":3,"epoch":"x"}}}'
    assert one(frame).request == History(
        channel="a:b", limit=-1, since=StreamPosition(offset=3, epoch="x")
    )
    frame = '{"id":1,"connect":{"subs":{"user:1":{"recover":true,"offset":5,"epoch":"x"}}}}'
    request = one(frame).request
    assert isinstance(request, Connect)
    assert request.subs["user:1"].offset == 5


def test_connect_may_name_many_channels() -> None:
    """A client that had the most of them says where it stood in each."""
    subs = {f"chat:{n}": {"recover": True, "epoch": "e", "offset": n} for n in range(128)}
    request = one(json.dumps({"id": 1, "connect": {"subs": subs}})).request
    assert isinstance(request, Connect)
    assert len(request.subs) == 128
    subs = {f"chat:{n}": {"recover": True, "epoch": "e", "offset": n} for n in range(300)}
    assert isinstance(one(json.dumps({"id": 1, "connect": {"subs": subs}})).request, Refused)


def test_missing_data_differs_from_null() -> None:
    """A publication without data is a mistake, one of null is not the reader's to judge."""
    frames = (
        '{"id":1,"publish":{"channel":"a:b"}}',
        '{"id":1,"publish":{"channel":"a:b","data":null}}',
    )
    missing, null = (one(frame).request for frame in frames)
    assert isinstance(missing, Publish)
    assert isinstance(null, Publish)
    assert missing.data != null.data


def test_pong_is_an_empty_object() -> None:
    """It has neither a number nor a method."""
    assert one("{}") == Command(0, "pong", Pong())


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " \n ",
        "[]",
        "7",
        '"text"',
        "{",
        '{"id":1}',
        '{"id":1,"dance":{}}',
        '{"id":1,"ping":{}}',
        '{"connect":{}}',
        '{"id":0,"connect":{}}',
        '{"id":-1,"connect":{}}',
        '{"id":4294967296,"connect":{}}',
        '{"id":1.5,"connect":{}}',
        '{"id":true,"connect":{}}',
        '{"id":"1","connect":{}}',
        '{"id":1,"send":{}}',
        '{"id":1,"connect":{},"subscribe":{"channel":"a:b"}}',
        '{"id":1,"subscribe":{}}',
        '{"id":1,"subscribe":{"channel":""}}',
        '{"id":1,"subscribe":null}',
        '{"id":1,"publish":{"data":{}}}',
        '{"id":1,"connect":{"data":NaN}}',
        '{"id":0,"rpc":{"data":"\\u0000"}}',
        '{"id":4294967296,"rpc":{"data":"\\u0000"}}',
        '{"id":1,"dance":{"data":"\\u0000"}}',
        "[" * 60_000,
    ],
    ids=lambda frame: frame[:40],
)
def test_what_is_no_command_ends_the_connection(frame: str) -> None:
    """Nobody could answer it: it has no number, or no meaning."""
    with pytest.raises(Unreadable):
        list(read(frame))


def test_commands_before_one_that_cannot_be_read_are_given() -> None:
    """What was said before counts."""
    commands = read('{"id":1,"connect":{}}\nnonsense')
    assert next(commands).method == "connect"
    with pytest.raises(Unreadable):
        next(commands)


@pytest.mark.parametrize(
    "frame",
    [
        '{"id":9,"subscribe":{"channel":7}}',
        '{"id":9,"subscribe":{"channel":"a:b","offset":-1}}',
        '{"id":9,"subscribe":{"channel":"a:b","offset":"5"}}',
        '{"id":9,"subscribe":{"channel":"a:b","recover":1}}',
        '{"id":9,"history":{"channel":"a:b","since":7}}',
        '{"id":9,"history":{"channel":"a:b","limit":99999999999}}',
        '{"id":9,"publish":{"channel":"a:b","data":' + '{"a":' * 20 + "1" + "}" * 20 + "}}",
        '{"publish":{"channel":"a:b","data":{"a":1,"a":2}},"id":9}',
        '{"id":9,"publish":{"channel":"a:b","data":{"n":' + "1" * 60_000 + "}}}",
        '{"id":9,"publish":{"channel":"a:b","data":{'
        + ",".join(f'"{n}":0' for n in range(300))
        + "}}}",
        '{"id":9,"publish":{"channel":"a:b","data":{"connect":"connect",'
        + ",".join(f'"{n}":0' for n in range(300))
        + "}}}",
        '{"id":9,"rpc":{"method":"a.b","data":{"x":1e999}}}',
        '{"id":9,"publish":{"channel":"a:b","data":{"x":"\\ud800"}}}',
        '{"id":9,"publish":{"channel":"a:b","data":{"x":"\\u0000"}}}',
        '{"id":9,"subscribe":{"channel":"a:b\\u0000"}}',
    ],
    ids=lambda frame: f"{frame[:60]}+{len(frame)}",
)
def test_what_is_wrong_with_one_command_is_answered(frame: str) -> None:
    """Its number can be read, so it is this command alone that fails."""
    command = one(frame)
    assert command.id == 9
    assert isinstance(command.request, Refused)
    assert command.request.code is ErrorCode.BAD_REQUEST


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_commands_or_unreadable(text: str) -> None:
    """Nothing else can happen."""
    with suppress(Unreadable):
        for command in read(text):
            assert command.method in {*METHODS, "pong"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    ["channel", "token", "recover", "offset", "epoch", "data", "flag", "limit", "since", "subs"]
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.integers(), _VALUES),
    st.sampled_from([*METHODS, "ping"]),
    st.dictionaries(_MEMBERS, _VALUES) | _VALUES,
)
def test_any_request_is_read_refused_or_unreadable(
    number: object, method: str, request: object
) -> None:
    """Whatever stands where a request should stand, there is one of three answers."""
    with suppress(Unreadable):
        for command in read(json.dumps({"id": number, method: request})):
            assert isinstance(command.request, (METHODS[method], Refused))

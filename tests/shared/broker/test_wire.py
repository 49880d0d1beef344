from __future__ import annotations

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.broker.topology import BELLS_GROUP, GROUPS_EXCHANGE, gateway_group
from shared.broker.wire import (
    BELL_BODY_BYTES,
    FanOut,
    MalformedBell,
    Published,
    bells,
    decode,
    encode_control,
    fan_out_bells,
    read_bell,
    read_fan_out,
)

PUBLISHED = st.builds(
    Published,
    channel=st.from_regex(r"[a-z]{2,8}:[A-Za-z0-9_-]{1,20}", fullmatch=True),
    epoch=st.from_regex(r"[a-z0-9-]{0,17}", fullmatch=True),
    offset=st.integers(0, 2**63 - 1),
    data=st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    time=st.floats(0, 2**32),
    info=st.sampled_from(["", '{"user":"7","client":"c"}']),
)


def make(count: int, size: int = 2) -> list[Published]:
    return [Published("chat:a", "e-1", n, "x" * size, 1.5) for n in range(1, count + 1)]


def test_golden_bytes_of_a_control_event() -> None:
    """The very bytes that the stock layer puts on the wire for this event."""
    body = encode_control("bells", "bell.ring", {"n": 1})
    stock = "83 a16e 01 a474797065 a962656c6c2e72696e67 ae5f5f617367695f67726f75705f5f a562656c6c73"
    assert body == bytes.fromhex(stock)


def test_golden_bytes_of_a_bell() -> None:
    """One map: the type, the publications with string keys, and the group."""
    [(body, count)] = bells("bells", [Published("c:a", "e", 1, "{}", 1.0)])
    assert count == 1
    assert body == bytes.fromhex(
        "83"
        "a474797065 a962656c6c2e72696e67"
        "ac7075626c69636174696f6e73 91 85"
        "a76368616e6e656c a3633a61 a565706f6368 a165 a66f6666736574 01"
        "a464617461 a27b7d a474696d65 cb3ff0000000000000"
        "ae5f5f617367695f67726f75705f5f a562656c6c73"
    )


@given(st.lists(PUBLISHED, max_size=30))
def test_what_goes_in_comes_out(publications: list[Published]) -> None:
    """Bells carry every publication, in order, unchanged."""
    heard = [each for body, _ in bells("bells", publications) for each in read_bell(decode(body))]
    assert heard == publications


def test_batches_by_number() -> None:
    """At most 500 publications go into one bell, as few bells as that allows."""
    rung = bells("bells", make(1_201))
    assert [count for _, count in rung] == [500, 500, 201]
    offsets = [each.offset for body, _ in rung for each in read_bell(decode(body))]
    assert offsets == list(range(1, 1_202))
    assert bells("bells", []) == []


@pytest.mark.parametrize("size", [1_000, 30_000, 64 * 1024])
def test_batches_by_size(size: int) -> None:
    """No bell is larger than its bound, and none is sent half empty."""
    rung = bells("bells", make(60, size))
    assert sum(count for _, count in rung) == 60
    assert all(len(body) <= BELL_BODY_BYTES for body, _ in rung)
    for body, _ in rung[:-1]:
        assert len(body) + size + 200 > BELL_BODY_BYTES


def test_one_publication_over_the_bound() -> None:
    """Data beyond the bound, were there any, still goes out, alone."""
    rung = bells("bells", make(3, BELL_BODY_BYTES))
    assert [count for _, count in rung] == [1, 1, 1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x83",
        msgpack.packb([1, 2]),
        msgpack.packb("text"),
        msgpack.packb({1: "integer key", "type": "x"}),
        msgpack.packb({"no": "type"}),
        msgpack.packb({"type": "x"}) + b"trailing",
        b"\xa1\xff",
        b"\x91" * 5_000,
    ],
)
def test_body_that_is_not_an_event(body: bytes) -> None:
    """Foreign bytes are malformed, never another error."""
    with pytest.raises(MalformedBell):
        decode(body)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"publications": None},
        {"publications": 1},
        {"publications": [1]},
        {"publications": ["text"]},
        {"publications": [{}]},
        {"publications": [{"channel": "a"}]},
        {"publications": {"channel": "a"}},
        {"publications": [{"channel": "a", "epoch": "e", "offset": "x", "data": "", "time": 1}]},
        {"publications": [{"channel": "a", "epoch": "e", "offset": None, "data": "", "time": 1}]},
        {"publications": [{"channel": "a", "epoch": "e", "offset": 1, "data": "", "time": "?"}]},
        {
            "publications": [
                {"channel": "a", "epoch": "e", "offset": float("inf"), "data": "", "time": 1}
            ]
        },
    ],
)
def test_bell_without_its_parts(event: dict[str, object]) -> None:
    """An event with a part missing or of another type is malformed, never another error."""
    with pytest.raises(MalformedBell):
        read_bell({"type": "bell.ring", **event})


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    """Whatever comes from the wire is an event or malformed."""
    with suppress(MalformedBell):
        read_bell(decode(body))


def test_topology() -> None:
    """The exchange is declared as the stock layer does: otherwise each locks the other out."""
    assert GROUPS_EXCHANGE.name == "groups"
    assert GROUPS_EXCHANGE.type == "direct"
    assert not GROUPS_EXCHANGE.durable
    assert not GROUPS_EXCHANGE.auto_delete
    assert gateway_group("a1b2") == "gateway.a1b2"
    assert BELLS_GROUP == "bells"


@pytest.mark.parametrize("name", ["", "A", "a b", "a\n", "a!b", "x" * 81, "ü", "a:b", "٣"])
def test_gateway_id_the_layer_would_refuse(name: str) -> None:
    """A gateway id becomes part of a group's name, so it has the layer's alphabet."""
    with pytest.raises(ValueError, match="gateway id"):
        gateway_group(name)


def fan_out(count: int, texts: int = 1, size: int = 20) -> FanOut:
    """Return one with so many publications, spread over so many texts."""
    return FanOut(
        namespace="user",
        time=1.5,
        texts=[f'{{"text":"{n}{"x" * size}"}}' for n in range(texts)],
        topics=[str(n) for n in range(count)],
        epochs=[f"e{n}-1" for n in range(count)],
        offsets=[n + 1 for n in range(count)],
        members=[f'"id":{n}' for n in range(count)],
        chosen=[n % texts for n in range(count)],
    )


def publications(bodies: list[tuple[bytes, int]]) -> list[Published]:
    """Return what a reader of the bodies makes of them."""
    heard = [read_fan_out(decode(body)) for body, _ in bodies]
    assert [len(each) for each in heard] == [count for _, count in bodies]
    return [each.published(index) for each in heard for index in range(len(each))]


def test_fan_out() -> None:
    """A thousand publications of one text are one bell, and each is read as its own."""
    sent = fan_out(1_000)
    bodies = fan_out_bells("bells", sent)
    assert len(bodies) == 1
    read = publications(bodies)
    assert read == [sent.published(index) for index in range(1_000)]
    assert read[7] == Published("user:7", "e7-1", 8, '{"id":7,"text":"0' + "x" * 20 + '"}', 1.5)


def test_fan_out_of_many_texts() -> None:
    """Texts of everybody's own take as many bells as the bound asks for, in order, all there."""
    sent = fan_out(1_000, texts=1_000, size=2_000)
    bodies = fan_out_bells("bells", sent)
    assert 8 <= len(bodies) <= 16
    assert max(len(body) for body, _ in bodies) <= BELL_BODY_BYTES
    assert publications(bodies) == [sent.published(index) for index in range(1_000)]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"namespace": "user"},
        {**decode(fan_out_bells("bells", fan_out(3))[0][0]), "topics": ["1"]},
        {**decode(fan_out_bells("bells", fan_out(3))[0][0]), "offsets": 7},
        {**decode(fan_out_bells("bells", fan_out(3))[0][0]), "texts": "abc"},
        {**decode(fan_out_bells("bells", fan_out(3))[0][0]), "time": "now"},
    ],
)
def test_malformed_fan_out(event: dict[str, object]) -> None:
    """What is no fan-out is one error."""
    with pytest.raises(MalformedBell):
        read_fan_out(event)

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.realtime import controls
from shared.realtime.actions import do_control
from shared.realtime.controls import (
    CONTROLS,
    Control,
    Disconnect,
    MalformedControl,
    Override,
    Refresh,
    Since,
    Subscribe,
    Unsubscribe,
    decode,
    encode,
)
from shared.realtime.drafts import encode_data
from shared.realtime.history import history
from shared.realtime.namespaces import namespace_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.integers(0, 2**53 - 1)
REASONS = st.text(
    st.characters(exclude_categories=["Cs"], min_codepoint=ord("a")), min_size=1, max_size=40
).filter(lambda reason: len(reason.encode()) <= 123 and reason not in ("true", "false", "null"))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
WHOM: dict[str, Any] = {"user": TEXTS, "client": TEXTS, "session": TEXTS}
FLAGS = dict.fromkeys(Override.__struct_fields__, st.none() | st.booleans())
CONTROLS_OF_ALL_KINDS = st.one_of(
    st.builds(
        Disconnect,
        **WHOM,
        code=st.integers(3000, 4999),
        reason=REASONS,
        whitelist=st.lists(TEXTS, max_size=3),
    ),
    st.builds(Unsubscribe, **WHOM, channel=TEXTS, code=st.integers(2000, 2999), reason=REASONS),
    st.builds(
        Subscribe,
        **WHOM,
        channel=TEXTS,
        info=JSON,
        data=JSON,
        expire_at=NUMBERS,
        recover_since=st.none() | st.builds(Since, offset=NUMBERS, epoch=TEXTS),
        override=st.builds(Override, **FLAGS),
    ),
    st.builds(Refresh, **WHOM, expired=st.booleans(), expire_at=NUMBERS, info=JSON),
)


@given(CONTROLS_OF_ALL_KINDS)
def test_there_and_back(control: Control) -> None:
    """What gateways read is what was written, though a frame adds its place."""
    data = encode(control)
    assert data["type"] == type(control).__struct_config__.tag
    assert decode(encode_data(data)) == control
    assert decode(json.dumps({**data, "epoch": "e", "offset": 7})) == control


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"type": "reset", "channel": "controls:all", "epoch": "e", "offset": 1}',
        '{"type": "dance", "user": "7"}',
        '{"type": "disconnect", "user": "7"}',
        '{"type": "disconnect", "user": 7, "code": 3503, "reason": "x"}',
        '{"type": "unsubscribe", "user": "7", "code": 2000, "reason": "x"}',
        '{"type": "disconnect", "user": "7", "code": 2999, "reason": "x"}',
        '{"type": "disconnect", "user": "7", "code": 5000, "reason": "x"}',
        '{"type": "disconnect", "user": "7", "code": 3503, "reason": ""}',
        '{"type": "unsubscribe", "user": "7", "channel": "x:y", "code": 3000, "reason": "x"}',
        '{"type": "refresh"}',
        '{"type": "refresh", "user": "7", "expired": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_control(text: str) -> None:
    """One error for all of it, so that a gateway can go on."""
    with pytest.raises(MalformedControl):
        decode(text)
    with pytest.raises(MalformedControl):
        decode(text.encode())


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ('{"type": "dance", "user": "7", "tempo": 120}', "7"),
        ('{"type": "disconnect", "user": "", "code": 1, "reason": "x"}', ""),
        ('{"type": "dance"}', None),
        ('{"type": "dance", "user": 7}', None),
        ("[", None),
    ],
)
def test_whom_a_control_is_about_that_is_not_understood(text: str, user: str | None) -> None:
    """As far as that can be read: a gateway has to do something about it."""
    with pytest.raises(MalformedControl) as caught:
        decode(text)
    assert caught.value.user == user


@pytest.mark.parametrize("reason", ["", "é" * 62, "42", "null", '"bye"', "[]"])
def test_reason_that_no_client_may_be_told(reason: str) -> None:
    """Whoever makes the control learns of it, not the gateways."""
    with pytest.raises(MalformedControl, match="reason"):
        Disconnect(user="7", code=3503, reason=reason)
    with pytest.raises(MalformedControl, match="reason"):
        Unsubscribe(user="7", channel="x:y", code=2000, reason=reason)


@pytest.mark.parametrize(
    "control",
    [
        Disconnect(user="7", code=2000, reason="x"),
        Disconnect(user="7", code=5000, reason="x"),
        Unsubscribe(user="7", channel="x:y", code=3000, reason="x"),
        Refresh(user=7),  # type: ignore[arg-type]
    ],
)
def test_control_that_gateways_would_not_understand(db: None, control: Control) -> None:
    """It is refused where it is published."""
    with pytest.raises(MalformedControl):
        do_control(control)
    assert history(CONTROLS).publications == []


def test_whom_a_control_meets() -> None:
    """A user's connections; only some of them where a client or a session is named."""
    every = Refresh(user="7")
    assert every.meets("7", "c1")
    assert every.meets("7", "c2", "s2")
    assert not every.meets("8", "c1")
    assert not every.meets("", "c1")
    one = Unsubscribe(user="7", client="c1", session="s1", channel="x:y", code=2000, reason="x")
    assert one.meets("7", "c1", "s1")
    assert not one.meets("7", "c1", "s2")
    assert not one.meets("7", "c2", "s1")
    assert not one.meets("7", "c1")


def test_anonymous_connections() -> None:
    """The user "" is nobody who is signed in."""
    nobody = Subscribe(user="", channel="x:y")
    assert nobody.meets("", "c1")
    assert not nobody.meets("7", "c1")


def test_who_is_spared() -> None:
    """Connections of the whitelist stay, whatever else is said."""
    ending = Disconnect(user="7", code=3503, reason="x", whitelist=["c1"])
    assert not ending.meets("7", "c1")
    assert ending.meets("7", "c2")
    assert not Disconnect(user="7", client="c1", code=1, reason="x", whitelist=["c1"]).meets(
        "7", "c1"
    )


def test_nobody_subscribes(db: None) -> None:
    """The channel is there from the first migration on, is kept, and is for gateways alone."""
    namespace = namespace_of(CONTROLS)
    assert namespace.history_size >= 1_000
    assert namespace.standing == (CONTROLS,)
    assert not namespace.server_can_publish
    assert type(namespace).can_subscribe is controls.Namespace.can_subscribe
    assert type(namespace).can_publish is controls.Namespace.can_publish


@pytest.mark.django_db(transaction=True)
def test_a_control_is_a_publication() -> None:
    """Gateways that missed the bell find it in the log, in order."""
    wanted = [
        Refresh(user="7", expired=True),
        Unsubscribe(user="", channel="x:y", code=2000, reason="x"),
    ]
    for control in wanted:
        do_control(control)
    page = history(CONTROLS)
    assert [decode(each.data) for each in page.publications] == wanted
    assert page.position.offset == 2

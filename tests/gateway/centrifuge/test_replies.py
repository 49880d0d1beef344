from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.caughtup import CaughtUp
from services.gateway.centrifuge import replies
from services.gateway.missed import Missed, Page
from shared.broker.wire import Published
from shared.realtime.positions import Position

HERE = Position("e-1", 7)


def published(offset: int, data: str = '{"n":1}') -> Published:
    return Published("chat:lobby", HERE.epoch if offset else "", offset, data, 0.0)


def test_zero_values_are_left_out() -> None:
    """Clients take a missing member for its zero, and some fail at one that is there."""
    text = replies.subscription(CaughtUp(Position("e-1", 0)), has_history=True, recover=False)
    assert json.loads(text) == {"recoverable": True, "epoch": "e-1", "positioned": True}
    text = replies.subscription(CaughtUp(Position("", 0)), has_history=False, recover=False)
    assert json.loads(text) == {}


def test_recovered_subscription_begins_where_its_client_stood() -> None:
    """It comes to the head by handling what it missed."""
    caught_up = CaughtUp(Position("e-1", 5), Missed(Page([published(6), published(7)]), 0, 2))
    text = replies.subscription(caught_up, has_history=True, recover=True)
    assert json.loads(text) == {
        "recoverable": True,
        "positioned": True,
        "epoch": "e-1",
        "offset": 5,
        "was_recovering": True,
        "recovered": True,
        "publications": [{"data": {"n": 1}, "offset": 6}, {"data": {"n": 1}, "offset": 7}],
    }


def test_lost_subscription_begins_at_the_head() -> None:
    """And says that it has not recovered."""
    text = replies.subscription(CaughtUp(HERE, is_lost=True), has_history=True, recover=True)
    answer = json.loads(text)
    assert (answer["offset"], answer["was_recovering"]) == (7, True)
    assert "recovered" not in answer
    assert "publications" not in answer


def test_error_has_code_and_words() -> None:
    """Libraries hang where one of both is missing."""
    assert json.loads(replies.error(3, 103, "permission denied")) == {
        "id": 3,
        "error": {"code": 103, "message": "permission denied"},
    }
    assert json.loads(replies.error(3, 100, "x", temporary=True))["error"]["temporary"] is True


def test_publication_without_a_place_has_no_offset() -> None:
    """Zero would be a place before all others."""
    assert json.loads(replies.publication(published(0))) == {
        "push": {"channel": "chat:lobby", "pub": {"data": {"n": 1}}}
    }
    assert json.loads(replies.publication(published(7)))["push"]["pub"]["offset"] == 7


def test_connected_names_what_it_always_names() -> None:
    """A library needs the client's name, and pings to know that the server is there."""
    text = replies.connected(1, "c-1", version="1", ping_seconds=25, subscriptions={"user:1": "{}"})
    assert json.loads(text) == {
        "id": 1,
        "connect": {
            "client": "c-1",
            "version": "1",
            "ping": 25,
            "pong": True,
            "subs": {"user:1": {}},
        },
    }


def test_lifetime_comes_with_expiry() -> None:
    """One without the other is no expiry; and it is never over before it began."""
    text = replies.connected(1, "c", version="1", ping_seconds=25, subscriptions={}, lifetime=0)
    answer = json.loads(text)["connect"]
    assert (answer["expires"], answer["ttl"]) == (True, 1)


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1, max_size=50)))
def test_frames_hold_all_messages_in_order(messages: list[str]) -> None:
    """At most sixteen in one."""
    joined = replies.frames(messages)
    assert [each for frame in joined for each in frame.split("\n")] == messages
    assert all(frame.count("\n") < 16 for frame in joined)


def test_publication_says_who_said_it() -> None:
    """Where that is known, beside its data, as it is told of clients elsewhere."""
    said = Published("tick:x", "", 0, "{}", 0.0, '{"user":"7","client":"c"}')
    assert json.loads(replies.publication(said)) == {
        "push": {
            "channel": "tick:x",
            "pub": {"data": {}, "info": {"user": "7", "client": "c"}},
        }
    }

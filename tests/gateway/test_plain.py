from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway import plain
from shared.broker.wire import Published
from shared.realtime.drafts import encode_data
from shared.realtime.exceptions import ErrorCode
from shared.realtime.positions import Position

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECT = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), JSON, max_size=6
)


@settings(max_examples=50, deadline=None)
@given(OBJECT)
def test_publication_is_the_data_and_its_place(data: dict[str, object]) -> None:
    """Splicing text gives what merging the objects and encoding them gives."""
    data = {key: value for key, value in data.items() if key not in {"epoch", "offset"}}
    published = Published("chat:lobby", "a1b2-c3d4", 17, encode_data(data), 0.0)
    frame = json.loads(plain.publication(published))
    assert frame == {**json.loads(encode_data(data)), "epoch": "a1b2-c3d4", "offset": 17}


@settings(max_examples=50, deadline=None)
@given(OBJECT)
def test_publication_without_place(data: dict[str, object]) -> None:
    """A channel without history has frames without a place."""
    published = Published("live:ball", "", 0, encode_data(data), 0.0)
    assert json.loads(plain.publication(published)) == json.loads(encode_data(data))


def test_error_says_only_what_it_knows() -> None:
    """Keys without a value are left out."""
    assert json.loads(plain.error(ErrorCode.INTERNAL, "Send it again.")) == {
        "type": "error",
        "code": 100,
        "message": "Send it again.",
    }
    full = plain.error(
        ErrorCode.TOO_MANY_REQUESTS, "Wait.", field="message", client_id="c", retry_after=0.0123456
    )
    assert json.loads(full) == {
        "type": "error",
        "code": 111,
        "message": "Wait.",
        "field": "message",
        "client_id": "c",
        # Rounded up: a shorter wait would not be enough.
        "retry_after": 0.013,
    }


def test_reset_names_channel_and_place() -> None:
    """After a reset live frames go on from the position it names."""
    assert json.loads(plain.reset("chat:lobby", Position("e-1", 9))) == {
        "type": "reset",
        "channel": "chat:lobby",
        "epoch": "e-1",
        "offset": 9,
    }

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.realtime.positions import Position


@given(st.from_regex(r"[A-Za-z0-9-]{1,64}", fullmatch=True), st.integers(0, 10**16 - 1))
def test_written_and_read(epoch: str, offset: int) -> None:
    """A position survives being written and read."""
    position = Position(epoch, offset)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "abc",
        "abc.",
        ".5",
        "abc.-1",
        "abc.+1",
        "abc.01",
        "abc.1.0",
        "abc.1e3",
        "abc. 1",
        " abc.1",
        "abc.1\n",
        "ab c.1",
        "abc.٣",
        "äbc.1",
        "abc.1\0",
        "abc." + "9" * 17,
        "a" * 65 + ".1",
        "../../etc.1",
    ],
)
def test_anything_else_is_no_position(text: str) -> None:
    """What was not written by us is nothing, not an error and not another position."""
    assert Position.parse(text) is None


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    """Reading never fails, and what it accepts it would write the same way."""
    position = Position.parse(text)
    assert position is None or str(position) == text

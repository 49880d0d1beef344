from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.realtime.exceptions import InvalidChannel
from shared.realtime.namespaces import Namespace, namespace_of
from shared.realtime.prefixes import is_private, said_by_name

IDS = st.lists(st.integers(1, 10**18 - 1).map(str), min_size=1, max_size=5)


class Plain(Namespace):
    name = "plain"


class Both(Namespace):
    name = "both"
    private_channels = True
    user_limited_channels = True


@given(IDS, st.integers(0, 10**18 - 1).map(lambda number: str(number or "")))
def test_limited_to_the_users_that_are_named(ids: list[str], user: str) -> None:
    """Each as a whole, and nobody is never one of them."""
    channel = f"both:x#{','.join(ids)}"
    assert said_by_name(Both(), channel, user) is (user in ids)
    assert not is_private(channel)


def test_private() -> None:
    """Its name decides nothing where a token was shown; whom it names counts not beside that."""
    assert is_private("$both:x")
    assert said_by_name(Both(), "$both:x", "7") is None
    assert said_by_name(Both(), "$both:x#7", "8") is None


@pytest.mark.parametrize("channel", ["$plain:x", "plain:x#7", "$plain:x#7"])
def test_namespace_that_has_none(channel: str) -> None:
    """Its hooks meet no such names, as nobody may hear them."""
    assert said_by_name(Plain(), channel, "7") is False


def test_other_names_say_nothing() -> None:
    """The namespace decides."""
    assert said_by_name(Plain(), "plain:x", "7") is None


@pytest.mark.parametrize("channel", ["$poll:x", "poll:x#7", "$poll:x#7,12"])
def test_prefix_is_no_part_of_the_namespace(channel: str) -> None:
    """The name before the colon rules it, whatever stands before that."""
    assert namespace_of(channel).name == "poll"


@pytest.mark.parametrize(
    "channel",
    [
        *("$$poll:x", "poll:$x", "#poll:x"),
        *("poll:x#", "poll:#7", "poll:x#7,", "poll:x#07", "poll:x#a", "poll:x#7#8"),
        f"poll:x#{'1' * 19}",
        f"poll:{'x' * 200}#{','.join(['1' * 18] * 3)}",
    ],
)
def test_what_is_no_name(channel: str) -> None:
    """Users have ids, and a name has 255 characters."""
    with pytest.raises(InvalidChannel):
        namespace_of(channel)

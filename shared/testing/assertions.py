"""`assert_publishes`: what a block of code says, where, and how often."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared.broker.wire import Published
from shared.realtime.namespaces import namespace_of
from shared.testing.journal import Journal

__all__ = ["assert_publishes"]

# In a failure's text.
_SHOWN = 10
_CHARACTERS = 300


@contextmanager
def assert_publishes(
    channel: str, data: Mapping[str, Any] | None = None, *, times: int = 1
) -> Iterator[list[dict[str, Any]]]:
    """
    Fail unless the block publishes this to the channel, so many times.

    Args:
        channel: the channel.
        data: members that the data has, among others; None takes whatever is published there.
        times: how often; 0 says that it is not published.

    Yields:
        A list that holds the data of what was meant, once the block has ended.

    Raises:
        InvalidChannel, UnknownNamespace: the channel has no rules, so it would never be met.
    """
    namespace_of(channel)
    journal = Journal()
    found: list[dict[str, Any]] = []
    yield found
    heard = journal.take()
    said = [each for each in heard if each.channel == channel]
    found += [each for each in map(_data, said) if _differences(each, data) == []]
    if len(found) != times:
        lost = journal.unheard
        unheard = [each for each in lost if each.channel == channel]
        elsewhere = [each for each in heard if each.channel != channel]
        raise AssertionError(
            "\n".join(
                [
                    _expectation(channel, data, times, len(found)),
                    *_listed(f"Published to {channel}:", said, data),
                    *_listed("Published there and rolled back, or not committed:", unheard, data),
                    *_listed("Published elsewhere:", elsewhere),
                    *([] if heard or unheard else ["Nothing was published."]),
                ]
            )
        )


def _data(published: Published) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(published.data)
    return data


def _differences(data: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> list[str]:
    """Say in words where data is not what is wanted."""
    return [
        f"{key!r} is {data[key]!r}, not {value!r}" if key in data else f"{key!r} is missing"
        for key, value in (wanted or {}).items()
        if key not in data or data[key] != value
    ]


def _expectation(channel: str, data: Mapping[str, Any] | None, times: int, number: int) -> str:
    what = "" if data is None else f" with {_short(repr(dict(data)))}"
    return f"Expected {_times(times)} to {channel}{what}, found {number or 'none'}."


def _times(number: int) -> str:
    return "1 publication" if number == 1 else f"{number or 'no'} publications"


def _listed(
    title: str, publications: Iterable[Published], wanted: Mapping[str, Any] | None = None
) -> Iterator[str]:
    lines = []
    for each in publications:
        where = "" if wanted is not None else f"{each.channel} "
        differences = _differences(_data(each), wanted)
        why = f"  <- {'; '.join(differences)}" if differences else ""
        lines.append(f"  {where}{_short(each.data)}{_short(why)}")
    if lines:
        yield title
        yield from lines[:_SHOWN]
        if len(lines) > _SHOWN:
            yield f"  and {len(lines) - _SHOWN} more"


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}..."

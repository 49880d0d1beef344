"""
The shape that a client's JSON may have. Pure; no I/O.

What is decoded here may be stored, encoded again and given to hooks that others write: no key
stands twice, nothing is nested without end, no number is one that JSON does not have, and no text
one that PostgreSQL or UTF-8 does not have.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["Malformed", "NotJSON", "parse"]

_DEPTH = 16
_KEYS = 256
# The jsonb type takes no NUL, and half of a surrogate pair is no character.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Malformed(ValueError):
    """A client's message that is not one JSON object of sane shape; the text is for its author."""


class NotJSON(Malformed):
    """Not one JSON object at all."""

    def __init__(self, words: str = "Send one JSON object.") -> None:
        super().__init__(words)


def parse(text: str, *, keys: int = _KEYS) -> dict[str, Any]:
    """
    Return the JSON object of a client's message.

    Raises:
        NotJSON: not JSON, NaN included, or not an object.
        Malformed: a key twice, too many keys, deeper than 16, an endless number, or one that
            becomes infinite, a NUL or half of a surrogate pair.
    """
    left = keys

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= len(pairs)
        members = dict(pairs)
        if len(members) != len(pairs):
            raise Malformed("A key stands twice in this message.")
        if left < 0:
            raise Malformed(f"A message has at most {keys} keys.")
        return members

    try:
        message = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except Malformed:
        raise
    except RecursionError:
        raise Malformed(f"A message is nested at most {_DEPTH} deep.") from None
    except json.JSONDecodeError:
        raise NotJSON from None
    except ValueError:
        # JSON, as far as it was read: Python makes no number of more than 4,300 digits.
        raise Malformed("A number is too long.") from None
    if not isinstance(message, dict):
        raise NotJSON
    if _deeper_than(message, _DEPTH):
        raise Malformed(f"A message is nested at most {_DEPTH} deep.")
    # A frame has none of them as they are: it is UTF-8, and JSON wants control characters escaped.
    if "\\u" in text and any(map(_UNSTORABLE.search, _texts(message))):
        raise Malformed("A text has a NUL or half of a surrogate pair.")
    return message


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Malformed("A number is too large.")
    return number


def _refuse_constant(name: str) -> None:
    raise NotJSON(f"{name} is not JSON.")


def _texts(value: Any) -> Iterator[str]:
    """Give every text in what is nested at most so deep as is sane, the keys included."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for child in value.values():
                yield from _texts(child)
        case list():
            for child in value:
                yield from _texts(child)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    while level:
        if depth == 0:
            return True
        depth -= 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return False

"""
The shape that a client's JSON may have. Pure; no I/O.

What is decoded here may be stored, encoded again and given to hooks that others write: no key
stands twice, nothing is nested without end, and no number is one that JSON does not have.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["Malformed", "NotJSON", "parse"]

_DEPTH = 16
_KEYS = 256


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
        Malformed: a key twice, too many keys, deeper than 16, or an endless number.
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
        message = json.loads(text, object_pairs_hook=unique, parse_constant=_refuse_constant)
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
    return message


def _refuse_constant(name: str) -> None:
    raise NotJSON(f"{name} is not JSON.")


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

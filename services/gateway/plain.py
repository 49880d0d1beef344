"""
The plain JSON endpoints' frames: parse what clients send, encode what the server sends. No I/O.

A publication's data is spliced into its frame as it is, so a frame costs one string operation
however large the data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from shared.broker.wire import Published
from shared.realtime.exceptions import ErrorCode
from shared.realtime.positions import NOWHERE, Position

__all__ = ["Malformed", "error", "established", "parse", "publication", "reset"]

_DEPTH = 16
_KEYS = 256


class Malformed(ValueError):
    """A client's message that is not one JSON object of sane shape; the text is for its author."""


def parse(text: str) -> dict[str, Any]:
    """
    Return the JSON object of a client's message.

    Raises:
        Malformed: not JSON, not an object, a key twice, over 256 keys, deeper than 16, or NaN.
    """
    keys = 0

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal keys
        keys += len(pairs)
        members = dict(pairs)
        if len(members) != len(pairs):
            raise Malformed("A key stands twice in this message.")
        if keys > _KEYS:
            raise Malformed(f"A message has at most {_KEYS} keys.")
        return members

    try:
        message = json.loads(text, object_pairs_hook=unique, parse_constant=_refuse_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("Send one JSON object.") from None
    if not isinstance(message, dict):
        raise Malformed("Send one JSON object.")
    if _deeper_than(message, _DEPTH):
        raise Malformed(f"A message is nested at most {_DEPTH} deep.")
    return message


def established(positions: Mapping[str, Position]) -> str:
    """Return the greeting, the first frame of a connection."""
    return _encode(
        {
            "type": "connection_established",
            "message": "You are now connected!",
            "positions": {
                channel: {"epoch": position.epoch, "offset": position.offset}
                for channel, position in positions.items()
                if position != NOWHERE
            },
        }
    )


def publication(published: Published) -> str:
    """Return the frame of a publication: its data, and its place where it has one."""
    if published.offset == 0:
        return published.data
    place = f'"epoch":"{published.epoch}","offset":{published.offset}}}'
    if published.data == "{}":
        return "{" + place
    return f"{published.data[:-1]},{place}"


def reset(channel: str, position: Position) -> str:
    """Return the frame that says: read history again; live frames go on from this position."""
    return _encode(
        {
            "type": "reset",
            "channel": channel,
            "epoch": position.epoch,
            "offset": position.offset,
        }
    )


def error(
    code: ErrorCode,
    message: str,
    *,
    field: str | None = None,
    client_id: str | None = None,
    retry_after: float | None = None,
) -> str:
    """Return the frame of a refusal; the connection stays."""
    frame: dict[str, Any] = {"type": "error", "code": int(code), "message": message}
    if field is not None:
        frame["field"] = field
    if client_id is not None:
        frame["client_id"] = client_id
    if retry_after is not None:
        # Upwards: who comes back after exactly this time gets through.
        frame["retry_after"] = math.ceil(retry_after * 1000) / 1000
    return _encode(frame)


def _encode(frame: Mapping[str, Any]) -> str:
    return json.dumps(frame, separators=(",", ":"))


def _refuse_constant(name: str) -> None:
    raise Malformed(f"{name} is not JSON.")


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

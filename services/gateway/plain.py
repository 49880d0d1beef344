"""
The plain JSON endpoints' frames: what the server sends. No I/O.

A publication's data is spliced into its frame as it is, so a frame costs one string operation
however large the data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from shared.broker.wire import Published
from shared.realtime.positions import NOWHERE, Position

__all__ = ["error", "established", "publication", "reset"]


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
    code: int,
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

"""
The bytes of a bell: what a channels-rabbitmq 4.0.1 consumer reads. Pure; no I/O.

A body is one msgpack map with string keys: the event's own, `type` among them, and
`__asgi_group__`, the group it is for. One foreign key or type kills the stock reader, so this
module alone writes bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

__all__ = [
    "BELL_BODY_BYTES",
    "MalformedBell",
    "Published",
    "bells",
    "decode",
    "encode_control",
    "read_bell",
]

# RabbitMQ 4 refuses 16 MiB; a bell stays far below, so that no gateway stalls on reading one.
BELL_BODY_BYTES = 256 * 1024
_PUBLICATIONS_PER_BELL = 500
# About what the names, the epoch and the numbers of one publication take beside its data.
_ENVELOPE_BYTES = 160


class MalformedBell(ValueError):
    """A body that is not one of ours."""


@dataclass(frozen=True, slots=True)
class Published:
    """
    A committed publication on its way.

    Attributes:
        channel: `namespace:topic`.
        epoch: the stream's epoch; "" for a channel without history.
        offset: its place in the stream, from 1; 0 for a channel without history.
        data: one JSON object as text.
        time: when it was published, Unix seconds.
    """

    channel: str
    epoch: str
    offset: int
    data: str
    time: float


def bells(group: str, publications: Iterable[Published]) -> list[tuple[bytes, int]]:
    """Return (body, number of publications) of as few bells as the size bound allows, in order."""
    bodies: list[tuple[bytes, int]] = []
    batch: list[Published] = []
    size = 0
    for publication in publications:
        own = len(publication.data.encode()) + len(publication.channel) + _ENVELOPE_BYTES
        if batch and (size + own > BELL_BODY_BYTES or len(batch) >= _PUBLICATIONS_PER_BELL):
            bodies.append((_encode_bell(group, batch), len(batch)))
            batch, size = [], 0
        batch.append(publication)
        size += own
    if batch:
        bodies.append((_encode_bell(group, batch), len(batch)))
    return bodies


def encode_control(group: str, kind: str, fields: Mapping[str, Any]) -> bytes:
    """Return the body of an event that is not a publication, such as a probe."""
    return _pack({**fields, "type": kind, "__asgi_group__": group})


def decode(body: bytes) -> dict[str, Any]:
    """
    Return the event of a body, as a channel layer's receiver sees it.

    Raises:
        MalformedBell: the body is not a map with string keys.
    """
    try:
        event = msgpack.unpackb(body, raw=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException) as error:
        raise MalformedBell(str(error)) from error
    if not isinstance(event, dict) or "type" not in event:
        raise MalformedBell("not an event")
    return event


def read_bell(event: Mapping[str, Any]) -> Sequence[Published]:
    """
    Return the publications of a received `bell.ring` event.

    Raises:
        MalformedBell: a part is missing or of another type.
    """
    try:
        return [
            Published(
                channel=str(row["channel"]),
                epoch=str(row["epoch"]),
                offset=int(row["offset"]),
                data=str(row["data"]),
                time=float(row["time"]),
            )
            for row in event["publications"]
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedBell(f"a bell without its parts: {error!r}") from error


def _encode_bell(group: str, publications: Sequence[Published]) -> bytes:
    rows = [
        {"channel": p.channel, "epoch": p.epoch, "offset": p.offset, "data": p.data, "time": p.time}
        for p in publications
    ]
    return _pack({"type": "bell.ring", "publications": rows, "__asgi_group__": group})


def _pack(event: Mapping[str, Any]) -> bytes:
    body: bytes = msgpack.packb(event, use_bin_type=True)
    return body

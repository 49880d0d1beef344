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
    "FanOut",
    "MalformedBell",
    "Published",
    "bells",
    "decode",
    "encode_control",
    "fan_out_bells",
    "read_bell",
    "read_fan_out",
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
        info: the client that said it, as JSON text; "" where that is not told.
    """

    channel: str
    epoch: str
    offset: int
    data: str
    time: float
    info: str = ""


@dataclass(frozen=True, slots=True)
class FanOut:
    """
    Committed publications of one namespace that share a few texts.

    Columns instead of rows: a gateway, which serves a few of the channels, decodes a thousand
    publications at the cost of a few, and makes a `Published` of those alone.

    Attributes:
        namespace: the part before the colon of all its channels.
        time: when they were published, Unix seconds.
        texts: non-empty JSON objects as text, without what is a channel's own.
        topics: the part after the colon, by publication.
        epochs: the stream's epoch, by publication.
        offsets: the place in the stream, by publication.
        members: JSON members that the text gets, such as `"id":7`, by publication.
        chosen: which of the texts it is, by publication.
    """

    namespace: str
    time: float
    texts: Sequence[str]
    topics: Sequence[str]
    epochs: Sequence[str]
    offsets: Sequence[int]
    members: Sequence[str]
    chosen: Sequence[int]

    def __len__(self) -> int:
        return len(self.topics)

    def published(self, index: int) -> Published:
        """Return one of its publications."""
        return Published(
            channel=f"{self.namespace}:{self.topics[index]}",
            epoch=self.epochs[index],
            offset=self.offsets[index],
            data=f"{{{self.members[index]},{self.texts[self.chosen[index]][1:]}",
            time=self.time,
        )

    @property
    def characters(self) -> int:
        """About how much memory it takes."""
        return sum(map(len, self.texts)) + len(self) * _ENVELOPE_BYTES

    def halves(self) -> tuple[FanOut, FanOut]:
        """Return two of half the publications each, with the texts that each needs."""
        middle = len(self) // 2
        return self._part(0, middle), self._part(middle, len(self))

    def _part(self, start: int, end: int) -> FanOut:
        chosen = self.chosen[start:end]
        needed = sorted(set(chosen))
        place = {old: new for new, old in enumerate(needed)}
        return FanOut(
            namespace=self.namespace,
            time=self.time,
            texts=[self.texts[index] for index in needed],
            topics=self.topics[start:end],
            epochs=self.epochs[start:end],
            offsets=self.offsets[start:end],
            members=self.members[start:end],
            chosen=[place[index] for index in chosen],
        )


def bells(group: str, publications: Iterable[Published]) -> list[tuple[bytes, int]]:
    """Return (body, number of publications) of as few bells as the size bound allows, in order."""
    bodies: list[tuple[bytes, int]] = []
    batch: list[Published] = []
    size = 0
    for publication in publications:
        own = len(publication.data.encode()) + len(publication.channel) + _ENVELOPE_BYTES
        own += len(publication.info.encode())
        if batch and (size + own > BELL_BODY_BYTES or len(batch) >= _PUBLICATIONS_PER_BELL):
            bodies.append((_encode_bell(group, batch), len(batch)))
            batch, size = [], 0
        batch.append(publication)
        size += own
    if batch:
        bodies.append((_encode_bell(group, batch), len(batch)))
    return bodies


def fan_out_bells(group: str, fan_out: FanOut) -> list[tuple[bytes, int]]:
    """Return (body, number of publications) of as few bells as the size bound allows."""
    body = _pack({"type": "bell.fan_out", "__asgi_group__": group, **_columns(fan_out)})
    if len(body) <= BELL_BODY_BYTES or len(fan_out) == 1:
        return [(body, len(fan_out))]
    return [bell for half in fan_out.halves() for bell in fan_out_bells(group, half)]


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
                info=str(row.get("info", "")),
            )
            for row in event["publications"]
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedBell(f"a bell without its parts: {error!r}") from error


def read_fan_out(event: Mapping[str, Any]) -> FanOut:
    """
    Return the publications of a received `bell.fan_out` event.

    Raises:
        MalformedBell: a part is missing or of another type, or columns differ in length.
    """
    try:
        fan_out = FanOut(
            namespace=str(event["namespace"]),
            time=float(event["time"]),
            **{name: event[name] for name in _COLUMNS},
        )
        lengths = {len(getattr(fan_out, name)) for name in _COLUMNS if name != "texts"}
        if len(lengths) != 1 or not all(isinstance(event[name], list) for name in _COLUMNS):
            raise MalformedBell("a fan-out whose columns do not fit")
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedBell(f"a fan-out without its parts: {error!r}") from error
    return fan_out


_COLUMNS = ("texts", "topics", "epochs", "offsets", "members", "chosen")


def _columns(fan_out: FanOut) -> dict[str, Any]:
    columns: dict[str, Any] = {name: list(getattr(fan_out, name)) for name in _COLUMNS}
    return {"namespace": fan_out.namespace, "time": fan_out.time, **columns}


def _encode_bell(group: str, publications: Sequence[Published]) -> bytes:
    rows = [_row(publication) for publication in publications]
    return _pack({"type": "bell.ring", "publications": rows, "__asgi_group__": group})


def _row(p: Published) -> dict[str, Any]:
    row = {
        "channel": p.channel,
        "epoch": p.epoch,
        "offset": p.offset,
        "data": p.data,
        "time": p.time,
    }
    # Most have none.
    return row | {"info": p.info} if p.info else row


def _pack(event: Mapping[str, Any]) -> bytes:
    body: bytes = msgpack.packb(event, use_bin_type=True)
    return body

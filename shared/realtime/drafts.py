"""Publications before they have a place in a stream. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from shared.realtime.exceptions import InvalidData

__all__ = ["DATA_BYTES", "Draft", "Entry", "encode_data"]

DATA_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Draft:
    """
    A publication before it has a place.

    Attributes:
        channel: where it goes.
        data: a JSON object of at most 64 KiB; what clients see.
        ref: stores a thin publication: the log keeps this id of a domain row instead of the
            data, and the namespace's `load` makes the data again for later readers.
    """

    channel: str
    data: Mapping[str, object]
    ref: int | None = None


class Entry(NamedTuple):
    """A draft and its data as text, ready to be stored."""

    draft: Draft
    text: str


def encode_data(data: Mapping[str, object]) -> str:
    """
    Return the data as JSON text.

    Raises:
        InvalidData: no JSON object, over 64 KiB, or with half of a surrogate pair.
    """
    if not isinstance(data, Mapping):
        raise InvalidData("A publication's data is a JSON object.")
    try:
        text = msgspec.json.encode(data).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidData(f"A publication's data must be JSON: {error}") from error
    if len(text.encode()) > DATA_BYTES:
        raise InvalidData(f"A publication's data has at most {DATA_BYTES} bytes.")
    return text

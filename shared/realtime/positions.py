"""A place in a channel's stream. Pure: no Django, no I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["LOST", "NOWHERE", "Position"]

_WRITTEN = re.compile(r"([A-Za-z0-9-]{1,64})\.(0|[1-9][0-9]{0,15})")


class Position(NamedTuple):
    """
    An epoch and the offset of the last publication that was seen; offset 0 is the beginning.

    The epoch names one numbering of one stream. A position with another epoch says nothing about
    this stream, whatever its offset.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Read `<epoch>.<offset>`; anything else is None, a position nobody can recover from."""
        match = _WRITTEN.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None


# What cannot be read: no stream ever has this epoch.
LOST = Position("_", 0)
# Where a channel without history always is, and what no stream's position equals.
NOWHERE = Position("", 0)

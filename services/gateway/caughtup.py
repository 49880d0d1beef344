"""What a connection is told when it joins a channel. Pure; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from services.gateway.missed import NOTHING, Missed
from shared.realtime.positions import Position

__all__ = ["CaughtUp"]


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """
    What a connection is told when it joins.

    Attributes:
        position: from where on it hears the channel: where it stood itself if it has recovered,
            else where the channel stands.
        missed: what it missed, in order and without a hole; empty if nothing was asked for.
        is_lost: it asked for what it missed, and that cannot be told.
    """

    position: Position
    missed: Missed = NOTHING
    is_lost: bool = False

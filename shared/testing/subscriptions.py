"""What one client hears of its channels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.broker.wire import Published
from shared.realtime.history import Recovery, recover
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import Position

__all__ = ["Resumed", "Subscription", "Unsubscribed", "as_json"]


class Unsubscribed(NamedTuple):
    """
    How a subscription ended while its connection stayed.

    Attributes:
        code: of the unsubscribe push, or of the error when it was to be resumed.
        reason: what the client is told.
    """

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """
    What became of a subscription after a time away.

    Attributes:
        channel: its channel.
        recovered: whether `missed` is all that the client missed, without a hole. Where it is
            not, the client goes on from `position` and reads its state anew.
        missed: the data of what was published meanwhile, in order; empty if not recovered.
        position: where the channel stood at the return.
    """

    channel: str
    recovered: bool
    missed: list[dict[str, Any]]
    position: Position


@dataclass(slots=True)
class Subscription:
    """
    A channel that a client hears.

    Attributes:
        channel: its name.
        position: what it has heard last; NOWHERE for a channel without history.
        is_server_side: made for the client, not asked for.
        received: the data of what it was given, in order.
        speakers: the users whose clients said that, where it is told.
        losses: how often something may have been missed for good.
    """

    channel: str
    position: Position
    is_server_side: bool = False
    received: list[dict[str, Any]] = field(default_factory=list)
    speakers: list[str | None] = field(default_factory=list)
    losses: int = 0

    def take(self, published: Published) -> None:
        """Hear a live publication: the next one is given, an old one dropped, a hole filled."""
        place = Position(published.epoch, published.offset)
        if published.offset == 0:
            self._give(published)
        elif place.epoch != self.position.epoch or place.offset > self.position.offset + 1:
            self.resume(recover(self.channel, self.position))
        elif place.offset > self.position.offset:
            self._give(published)
            self.position = place

    def resume(self, recovery: Recovery) -> Resumed:
        """Go on after a time without hearing, by what was read from the log for it."""
        # What the namespace does not keep may be there until the log is trimmed, and a test would
        # pass because of that. Without history nothing can be recovered, whatever was missed.
        kept = namespace_of(self.channel).history_size
        missed = recovery.head.offset - self.position.offset
        recovered = recovery.recovered and kept > 0 and missed <= kept
        before = len(self.received)
        if recovered:
            for each in recovery.publications:
                self._give(each)
        else:
            self.losses += 1
        self.position = recovery.head
        return Resumed(self.channel, recovered, self.received[before:], self.position)

    def _give(self, published: Published) -> None:
        self.received.append(json.loads(published.data))
        self.speakers.append(json.loads(published.info)["user"] if published.info else None)


def as_json(value: Any) -> Any:
    """
    Return a value as it is after its way over a wire.

    Raises:
        TypeError, ValueError: no wire takes it.
    """
    return json.loads(json.dumps(value, allow_nan=False))

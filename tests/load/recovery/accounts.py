"""What clients were told of a channel, held against its log. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Account", "Log", "take"]

# A channel's publications by offset: what each says.
type Log = Mapping[int, Any]


@dataclass
class Account:
    """
    What one client was told, of the one channel that it hears.

    Attributes:
        epoch: of the channel, as the client was told last.
        offset: how far it has got.
        told: what it was told, by offset.
        repeated: publications that came again or after a later one.
        skipped: how many it was not told that stand before one that it was told.
        unrecovered: how often it was told that what it missed cannot be told.
        foreign: how often the channel had another epoch than before.
    """

    epoch: str = ""
    offset: int = 0
    told: dict[int, Any] = field(default_factory=dict)
    repeated: int = 0
    skipped: int = 0
    unrecovered: int = 0
    foreign: int = 0

    def take(self, message: Mapping[str, Any]) -> None:
        """Read a message; those that are not of the log say nothing."""
        match message:
            case {"subscribe": {"epoch": str(epoch), **result}}:
                self._subscribed(epoch, result)
            case {"push": {"pub": {"offset": int()} as publication}}:
                self._publication(publication)

    def _subscribed(self, epoch: str, result: Mapping[str, Any]) -> None:
        self.foreign += bool(self.epoch) and epoch != self.epoch
        self.epoch = epoch
        offset = result.get("offset", 0)
        if not result.get("was_recovering"):
            self.offset = offset
        elif result.get("recovered"):
            # Where the client stood itself: what follows brings it further.
            self.repeated += max(0, self.offset - offset)
            self.skipped += max(0, offset - self.offset)
        else:
            self.unrecovered += 1
            self.offset = offset
        for publication in result.get("publications", ()):
            self._publication(publication)

    def _publication(self, publication: Mapping[str, Any]) -> None:
        offset = publication["offset"]
        if offset <= self.offset:
            self.repeated += 1
            return
        self.skipped += offset - self.offset - 1
        self.offset = offset
        self.told[offset] = publication["data"]

    def faults(self, log: Log, head: int) -> int:
        """
        Return how many faults there are in what it was told.

        Args:
            log: the channel's.
            head: up to where it must have been told.
        """
        wrong = sum(offset not in log or log[offset] != data for offset, data in self.told.items())
        late = abs(head - self.offset)
        return self.repeated + self.skipped + self.unrecovered + self.foreign + wrong + late


def take(
    accounts: Mapping[int, Account], messages: Iterable[tuple[int, Mapping[str, Any]]]
) -> None:
    """Have each client's account read what it was told, in order."""
    for index, message in messages:
        accounts[index].take(message)

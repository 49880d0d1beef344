"""
Sending a gateway's clients elsewhere and ending it, from wherever an operator is.

By name through the log, as every gateway hears `controls:all`: no address is needed, and RabbitMQ
may be away. Or by the address of its internal port, which needs no database. Either is what SIGTERM
is; whoever has started the gateway decides whether another one comes in its place.
"""

from __future__ import annotations

import http
import http.client
from abc import ABC, abstractmethod
from collections.abc import Sequence

from shared.operations.gateways import Address, GatewayRow, InvalidAddress, Scraper, reported
from shared.realtime.actions import do_control
from shared.realtime.controls import Drain

__all__ = ["CannotDrain", "Draining", "draining_of"]


class CannotDrain(Exception):
    """A gateway that cannot be told to drain; its text says why, and what could be."""


class Draining(ABC):
    """
    One gateway that is to be drained.

    Attributes:
        name: what it is called.
    """

    name: str

    @abstractmethod
    def begin(self) -> None:
        """
        Tell it; a second time changes nothing.

        Raises:
            CannotDrain: it did not take it.
        """

    @abstractmethod
    def look(self) -> GatewayRow | None:
        """Return how it stands; None once it has ended."""


class _ByName(Draining):
    def __init__(self, row: GatewayRow) -> None:
        self.name = row.name
        self._uid = row.uid

    def begin(self) -> None:
        do_control(Drain(gateway=self._uid))

    def look(self) -> GatewayRow | None:
        # Its lease goes with it, also where the process was killed meanwhile.
        return next((row for row in reported() if row.uid == self._uid), None)


class _ByAddress(Draining):
    def __init__(self, name: str, place: Address, row: GatewayRow) -> None:
        self.name = name
        self._address = place
        self._scraper = Scraper([place])
        # What it said last.
        self._row = row
        self._is_late = False

    def begin(self) -> None:
        try:
            status, text = self._address.ask("POST", "/drain")
        except (OSError, http.client.HTTPException) as error:
            raise CannotDrain(f"{self.name} does not answer: {error}") from error
        if status != http.HTTPStatus.ACCEPTED:
            words = " ".join(text.split())
            raise CannotDrain(
                f"{self.name} answers {status} {words}: is that a gateway's internal port?"
            )

    def look(self) -> GatewayRow | None:
        [row] = self._scraper.read()
        if row.state == "away":
            # Who is busy sending thousands away may be late with one answer.
            was_late, self._is_late = self._is_late, True
            return None if was_late else self._row
        if (row.uptime or 0) < (self._row.uptime or 0):
            # Its successor, at the same address.
            return None
        self._row, self._is_late = row, False
        return row


def draining_of(words: Sequence[str]) -> list[Draining]:
    """
    Find gateways by name, by the id of the process, or by the address of the internal port.

    Raises:
        CannotDrain: one of them is not known, or a name is that of two processes or addresses.
    """
    named = [word for word in words if not _is_address(word)]
    known = reported() if named else []
    found: list[Draining] = []
    for word in dict.fromkeys(words):
        if _is_address(word):
            found.append(_at(word))
            continue
        meant = [row for row in known if word.lower() in (row.name, row.uid)]
        if not meant:
            names = ", ".join(row.name for row in known)
            raise CannotDrain(
                f"There is no gateway {word!r}: "
                + (f"choose from {names}." if names else "none holds a lease in this database.")
            )
        if len(meant) > 1:
            uids = " or ".join(row.uid for row in meant)
            raise CannotDrain(f"{word!r} is the name of {len(meant)} processes: write {uids}.")
        found.append(_ByName(meant[0]))
    return found


def _at(word: str) -> _ByAddress:
    """Return the one gateway at an address; a name that stands for several is not one."""
    try:
        address = Address.read(word)
    except InvalidAddress as error:
        raise CannotDrain(str(error)) from error
    rows = Scraper([address]).read()
    # `localhost` may stand for two addresses, of which one answers.
    there = [row for row in rows if row.state != "away"] or rows
    if len(there) > 1:
        names = " or ".join(row.name for row in there)
        raise CannotDrain(f"{word} stands for {len(there)} addresses: write {names}.")
    [row] = there
    return _ByAddress(str(address), Address.read(row.name), row)


def _is_address(word: str) -> bool:
    # A gateway's name has no colon.
    return ":" in word

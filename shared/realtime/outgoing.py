"""
Publications between their write and the commit after which they are heard.

Whatever publishes hands its bell over here, so that a test can see what a transaction is about to
say although it never commits, as those of Django's `TestCase` do not. Nobody else looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakSet

from django.db import transaction

from shared.broker.wire import FanOut, Published

__all__ = ["Outgoing", "Witness", "ring_on_commit", "watch"]


class Outgoing:
    """
    Publications of one transaction or savepoint.

    Attributes:
        is_out: whether that was committed, and the bell was rung.
    """

    def __init__(self, content: Sequence[Published] | FanOut, ring: Callable[[], None]) -> None:
        self.is_out = False
        self._content = content
        self._ring = ring

    def __call__(self) -> None:
        """Be committed."""
        self.is_out = True
        self._ring()

    @property
    def publications(self) -> Sequence[Published]:
        """What is said, in order."""
        if isinstance(self._content, FanOut):
            return [self._content.published(index) for index in range(len(self._content))]
        return self._content


class Witness(Protocol):
    """Something that sees what is published, inside the transaction."""

    def see(self, outgoing: Outgoing) -> None:
        """Take note; never raise."""


_witnesses: WeakSet[Witness] = WeakSet()


def watch(witness: Witness) -> None:
    """Have a witness see what this process publishes from now on, for as long as it lives."""
    _witnesses.add(witness)


def ring_on_commit(content: Sequence[Published] | FanOut, ring: Callable[[], None]) -> None:
    """Call `ring` after the commit of the transaction in which these were published."""
    outgoing = Outgoing(content, ring)
    for witness in tuple(_witnesses):
        witness.see(outgoing)
    # robust: a bell that fails must not turn a committed write into an error.
    transaction.on_commit(outgoing, robust=True)

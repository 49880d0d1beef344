"""Journals: what this process publishes, from a moment on, in the order of publishing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain

from django.db import connection

from shared.broker.wire import Published
from shared.realtime.outgoing import Outgoing, watch
from shared.testing.exceptions import MadeTooEarly

__all__ = ["Journal"]


class Journal:
    """
    Hears each publication when its transaction has been committed, or would have been.

    A `TestCase` runs in a transaction that is rolled back at its end. What is published in it is
    heard when the blocks that were opened since this journal was are left: rolled back blocks
    have said nothing, and nothing is heard from inside of an open one.
    """

    def __init__(self) -> None:
        # Other threads may publish.
        self._arriving: deque[Outgoing] = deque()
        # Not heard when it was looked last: rolled back, or still open.
        self._waiting: list[Outgoing] = []
        # The savepoints around this journal, which no test leaves before its end; None outside of
        # any transaction, where only a commit counts.
        self._around = frozenset(connection.savepoint_ids) if connection.in_atomic_block else None
        self._tests = _tests()
        watch(self)

    def see(self, outgoing: Outgoing) -> None:
        """Take note of publications."""
        self._arriving.append(outgoing)

    def take(self) -> list[Published]:
        """
        Return what was heard since this was called last.

        Raises:
            MadeTooEarly: a test has begun since this journal was, so that its savepoint would look
                like one that the test has opened itself, and never leaves.
        """
        if _tests() > self._tests:
            raise MadeTooEarly
        while self._arriving:
            self._waiting.append(self._arriving.popleft())
        closed = self._closed()
        heard = [each for each in self._waiting if each.is_out or id(each) in closed]
        self._waiting = [each for each in self._waiting if each not in heard]
        return _flat(heard)

    @property
    def unheard(self) -> list[Published]:
        """What was published and not heard, as it was rolled back, or is not committed yet."""
        return _flat(self._waiting)

    def _closed(self) -> set[int]:
        """Return the ids of those whose blocks have all been left, so that they would be out."""
        if self._around is None:
            return set()
        opened = set(connection.savepoint_ids) - self._around - {None}
        # Django keeps what to do after the commit with the savepoints around it, by which it drops
        # what is rolled back: the first and second member of an entry.
        return {id(each[1]) for each in connection.run_on_commit if not opened & set(each[0])}


def _tests() -> int:
    """Count the transactions and savepoints that Django's test cases have open here."""
    # Django knows, and django-stubs does not.
    blocks = connection.atomic_blocks
    return sum(block._from_testcase for block in blocks)  # type: ignore[attr-defined]


def _flat(several: Iterable[Outgoing]) -> list[Published]:
    return list(chain.from_iterable(each.publications for each in several))

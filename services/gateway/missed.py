"""What clients have missed, and the text of it, which many share. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from shared.broker.wire import Published

__all__ = ["NOTHING", "Encode", "Missed", "Page"]

# How a protocol writes a publication.
type Encode = Callable[[Published], str]


class Page:
    """
    Publications in a row that were read together, and their texts.

    All who catch up by it share it, and it goes with the last of them.
    """

    def __init__(self, publications: Sequence[Published]) -> None:
        """Take the publications in order and without a hole; they do not change anymore."""
        self.publications = publications
        # By protocol; a text is made once, however many get it.
        self._texts: dict[Encode, list[str]] = {}

    def texts(self, encode: Encode) -> list[str]:
        """Return the text of each."""
        found = self._texts.get(encode)
        if found is None:
            found = self._texts[encode] = list(map(encode, self.publications))
        return found

    def between(self, after: int, last: int) -> Missed | None:
        """Return those behind an offset up to another one; None where they are not all here."""
        if after >= last:
            return NOTHING
        if not self.publications:
            return None
        first = self.publications[0].offset
        if after + 1 < first or last > self.publications[-1].offset:
            return None
        return Missed(self, after + 1 - first, last + 1 - first)


class Missed(Sequence[Published]):
    """What one client has missed: a part of a page, and what came since."""

    __slots__ = ("_page", "_rest", "_start", "_stop")

    def __init__(self, page: Page, start: int, stop: int, rest: Sequence[Published] = ()) -> None:
        """
        Take the part of a page and what follows it.

        Args:
            page: where most of it is.
            start: the first of it there.
            stop: behind the last of it there.
            rest: what came since the page was read, in order.
        """
        self._page, self._start, self._stop, self._rest = page, start, stop, rest

    def followed_by(self, rest: Sequence[Published]) -> Missed:
        """Return the same with what came since."""
        return Missed(self._page, self._start, self._stop, rest)

    @property
    def size(self) -> int:
        """How many characters its data has."""
        return sum(len(each.data) for each in self)

    def texts(self, encode: Encode) -> list[str]:
        """Return the text of each."""
        shared = self._page.texts(encode)[self._start : self._stop]
        shared += map(encode, self._rest)
        return shared

    def __iter__(self) -> Iterator[Published]:
        yield from self._page.publications[self._start : self._stop]
        yield from self._rest

    def __len__(self) -> int:
        return self._stop - self._start + len(self._rest)

    @overload
    def __getitem__(self, index: int) -> Published: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Published]: ...
    def __getitem__(self, index: int | slice) -> Published | Sequence[Published]:
        return list(self)[index]


NOTHING = Missed(Page([]), 0, 0)

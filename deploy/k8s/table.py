"""A table that is printed row by row, and knows which rows failed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

__all__ = ["Table"]

_WIDTHS = (28, 22)


class Table:
    """Rows of three cells; a row with faults has failed."""

    def __init__(self, heads: tuple[str, str, str]) -> None:
        """Take what stands above the columns."""
        self._rows = self._failed = 0
        self._print("", *heads)

    def title(self, text: str) -> None:
        """Begin a part."""
        print(f"\n{text}")

    def row(self, what: str, where: str, words: str, faults: Iterable[str]) -> None:
        """Print one row, and below it what is wrong."""
        found = list(faults)
        self._rows += 1
        self._failed += bool(found)
        self._print("FAILED" if found else "ok", what, where, "" if found else words)
        for fault in found:
            print(textwrap.indent(fault, "          "))

    def end(self) -> int:
        """Print the sum, and return how many rows failed."""
        print(f"\n{self._rows} rows, {self._failed} failed.", flush=True)
        return self._failed

    def _print(self, mark: str, what: str, where: str, words: str) -> None:
        print(
            f"  {mark:6}  {what:{_WIDTHS[0]}}  {where:{_WIDTHS[1]}}  {words}".rstrip(), flush=True
        )

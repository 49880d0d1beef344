"""
User ids out of a stream of bytes, one a line, as NDJSON or as CSV. Pure, and of bounded memory.

An NDJSON line is a number, or an object with one called `id` or `user_id`. CSV has them in the
column that the first line calls so, otherwise in the first one. A line that is neither is noted
with its number, and the rest goes on.
"""

from __future__ import annotations

import csv
import enum
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["BadLine", "IdStream", "Kind", "NotText"]

_MAX_ID = 2**63 - 1
_LINE_BYTES = 4_096
_NAMES = ("id", "user_id")
_NOT_AN_ID = "Write a user's id, a whole number from 1."
_SEVERAL = "There are several ids on this line: write one on each line."
# Spreadsheets disagree about the sign between cells.
_DELIMITERS = ",;\t"
# How files begin that people take for text.
_BINARIES = {
    b"PK\x03\x04": "This is a zip archive or an Excel file: export the list as CSV in UTF-8.",
    b"\x1f\x8b": "This is compressed: send it unpacked.",
    b"%PDF": "This is a PDF: export the list as CSV in UTF-8.",
    b"\xff\xfe": "This is UTF-16: save it as UTF-8.",
    b"\xfe\xff": "This is UTF-16: save it as UTF-8.",
}
_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 4


class Kind(enum.Enum):
    """How lines are written."""

    NDJSON = enum.auto()
    CSV = enum.auto()


class NotText(Exception):
    """The stream is no text; the message says what to do. Ids before that place were given."""


class BadLine(NamedTuple):
    """A line without an id: its number, counted from 1, and what is wrong with it."""

    line: int
    message: str


class IdStream:
    """
    Reads a stream once.

    Attributes:
        lines: how many there were, blank ones with them.
        good: how many ids were given.
        bad: how many lines have none; blank lines do not count.
        errors: the first 100 of these.
    """

    ERRORS = 100

    def __init__(self, chunks: Iterable[bytes], kind: Kind) -> None:
        self._chunks = chunks
        self._kind = kind
        self._column = 0
        # The sign between cells, where a heading has shown it.
        self._delimiter: str | None = None
        self.lines = 0
        self.good = 0
        self.bad = 0
        self.errors: list[BadLine] = []

    def ids(self) -> Iterator[int]:
        """
        Yield the ids as they come.

        Raises:
            NotText: at the place where this shows.
        """
        for number, line in enumerate(self._lines(), 1):
            self.lines = number
            try:
                found = self._id(number, line)
            except ValueError as error:
                self.bad += 1
                if len(self.errors) < self.ERRORS:
                    self.errors.append(BadLine(number, str(error)))
                continue
            if found is not None:
                self.good += 1
                yield found

    def _lines(self) -> Iterator[bytes]:
        """Yield lines without their ends; of one that is too long, no more than shows it."""
        rest = b""
        for chunk in _text(self._chunks):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            rest = rest[: _LINE_BYTES + 1]
        if rest:
            yield rest

    def _id(self, number: int, line: bytes) -> int | None:
        line = line.strip()
        # Most lines of most streams are bare ids: a million of them should not take long.
        if line.isdigit() and self._column == 0:
            return _checked(int(line) if len(line) <= 19 else 0)
        if len(line) > _LINE_BYTES:
            raise ValueError("This line is too long: write one id a line.")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise ValueError("This line is not UTF-8.") from None
        if not text:
            return None
        return _of_json(text) if self._kind is Kind.NDJSON else self._of_csv(number, text)

    def _of_csv(self, number: int, text: str) -> int | None:
        if number == 1 and self._is_heading(text):
            return None
        # Without a heading each line shows its sign itself: it is the one that leaves an id.
        for delimiter in self._delimiter or _DELIMITERS:
            cells = _cells(text, delimiter)
            cell = cells[self._column] if self._column < len(cells) else ""
            if _is_number(cell):
                return _checked(int(cell))
        several = sum(map(_is_number, text.split())) > 1
        raise ValueError(_SEVERAL if several else _NOT_AN_ID)

    def _is_heading(self, text: str) -> bool:
        """Take the column and the sign between cells from a line, if it names a column of ids."""
        for delimiter in _DELIMITERS:
            names = [cell.lower() for cell in _cells(text, delimiter)]
            places = [names.index(name) for name in _NAMES if name in names]
            if places:
                self._column = places[0]
                self._delimiter = delimiter if len(names) > 1 else None
                return True
        return False


def _text(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks as long as they may be text, without the mark that some begin with."""
    chunks = iter(chunks)
    head = b""
    # It may come in pieces that are too small to show what it is.
    while len(head) < _HEAD_BYTES and (chunk := next(chunks, b"")):
        head += chunk
    for start, sentence in _BINARIES.items():
        if head.startswith(start):
            raise NotText(sentence)
    for chunk in itertools.chain([head.removeprefix(_MARK)], chunks):
        if b"\0" in chunk:
            raise NotText("This is no text file: export the list as CSV in UTF-8.")
        yield chunk


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
    except csv.Error:
        # Such as a carriage return within a line.
        return []


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19


def _of_json(text: str) -> int:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This line is not JSON.") from None
    if isinstance(value, dict):
        value = next((value[name] for name in _NAMES if name in value), None)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(_NOT_AN_ID)  # noqa: TRY004 - a line's fault, whatever its type
    return _checked(value)


def _checked(value: int) -> int:
    if not 1 <= value <= _MAX_ID:
        raise ValueError(_NOT_AN_ID)
    return value

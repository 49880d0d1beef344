"""
Patterns of channel names: `*`, `?`, `[a-z]`, `[!a-z]` and `{one,another}`. Pure; no I/O.

Alternatives are written out before anything is compiled, so that what is left of a pattern is
matched without going back, however it was written.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

__all__ = ["InvalidGlob", "compile_glob"]

_ALTERNATIVES = 100


class InvalidGlob(ValueError):
    """A pattern with unbalanced braces, or with more alternatives than anybody means."""


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """
    Return what says whether a whole name matches.

    Raises:
        InvalidGlob: its braces are unbalanced, or it means more than a hundred patterns.
    """
    # fnmatch makes atomic groups, which never go back.
    compiled = [re.compile(fnmatch.translate(each)) for each in _written_out(pattern)]
    return lambda name: any(each.match(name) for each in compiled)


def _written_out(pattern: str) -> list[str]:
    """Return the patterns without braces that the pattern stands for."""
    whole, rest = _sequence(pattern)
    if rest:
        raise InvalidGlob("A } stands alone in the pattern.")
    return whole


def _sequence(text: str, inside: bool = False) -> tuple[list[str], str]:
    """Read up to the end, or inside of braces to the next comma or brace; return what is left."""
    made = [""]
    while text:
        if text[0] == "}" or (inside and text[0] == ","):
            break
        if text[0] == "{":
            alternatives, text = _alternatives(text[1:])
        else:
            alternatives, text = [text[0]], text[1:]
        made = [start + end for start in made for end in alternatives]
        if len(made) > _ALTERNATIVES:
            raise InvalidGlob(f"The pattern means more than {_ALTERNATIVES} patterns.")
    return made, text


def _alternatives(text: str) -> tuple[list[str], str]:
    found: list[str] = []
    while True:
        sequence, text = _sequence(text, inside=True)
        found += sequence
        if not text:
            raise InvalidGlob("A { in the pattern is not closed.")
        mark, text = text[0], text[1:]
        if mark == "}":
            return found, text

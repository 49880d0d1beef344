"""Pages by keyset: `?before=<id>` is where a page begins, and its last row where the next does."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest

__all__ = ["MAX_ID", "before_of", "cut", "id_of"]

MAX_ID = 2**63 - 1


def before_of(request: HttpRequest) -> int | None:
    """Return the id that the page begins before; what cannot be one means the first page."""
    return id_of(request.GET.get("before", ""))


def id_of(text: str) -> int | None:
    """Return the id that a request's text names; None for what cannot be one."""
    # ASCII first: isdigit() alone takes digits of every script, and the length bounds int().
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID:
        return int(text)
    return None


def cut[Row](rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """
    Return the rows of a page and whether there are more.

    Args:
        rows: the newest first, and one more than the page holds, if there are as many.
        limit: how many a page holds.
    """
    return rows[:limit], len(rows) > limit

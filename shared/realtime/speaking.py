"""
Who speaks: the client in whose name a thread publishes at this moment.

A publication that nothing is kept of, such as "is typing", is told with who said it. That is known
of the connection, so a namespace's hook has not to say it, and what the client sent cannot.

What is kept has its author in its data, as its namespace writes it there: so it can be corrected
and erased with the rest, and each later reader gets what those got who were there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["speaker_in", "speaking"]

# The channel, and what is told of the client, as JSON text.
_speaking = ContextVar("_speaking", default=("", ""))


@contextmanager
def speaking(channel: str, info: str) -> Iterator[None]:
    """
    Publish in a client's name what is published to its channel in this block.

    Args:
        channel: what else the block publishes to is nobody's.
        info: what is told of the client, as JSON text; "" is nothing.
    """
    token = _speaking.set((channel, info))
    try:
        yield
    finally:
        _speaking.reset(token)


def speaker_in(channel: str) -> str:
    """Return what is told of the client that speaks in a channel; "" is nobody, or nothing."""
    where, info = _speaking.get()
    return info if where == channel else ""

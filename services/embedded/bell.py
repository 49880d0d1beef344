"""The embedded form's bell: a call into the hub of this very process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from services.gateway.runtime import the_gateway
from shared.broker.wire import FanOut, Published

__all__ = ["LocalBell", "listen"]

# The event loop that the hub lives in; None before the server runs.
_loop: asyncio.AbstractEventLoop | None = None


def listen() -> None:
    """Have bells rung in the running event loop from now on."""
    global _loop
    _loop = asyncio.get_running_loop()


class LocalBell:
    """Hands publications to the hub, from whatever thread they were committed in."""

    def ring(self, publications: Sequence[Published]) -> None:
        """Take the publications; before the server runs there is nobody to hear them."""
        if _loop is not None and not _loop.is_closed():
            _loop.call_soon_threadsafe(_accept, list(publications))

    def ring_fan_out(self, fan_out: FanOut) -> None:
        """Take publications that share their texts."""
        if _loop is not None and not _loop.is_closed():
            _loop.call_soon_threadsafe(_accept_fan_out, fan_out)

    def flush(self) -> None:
        """Do nothing: what was rung is the event loop's."""


def _accept(publications: Sequence[Published]) -> None:
    for publication in publications:
        the_gateway().hear(publication)


def _accept_fan_out(fan_out: FanOut) -> None:
    the_gateway().repair.hub.accept_fan_out(fan_out)

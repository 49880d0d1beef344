"""A gate in the way of who wants to hear something, for what happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from services.gateway.runtime import Gateway

__all__ = ["Gate"]


class Gate:
    """
    Holds what the database has answered to the first who asks from now on, until it is opened.

    Attributes:
        reached: set when that answer is there.
        open: to be set.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self._arrivals = gateway.arrivals
        self._recover: Callable[..., Any] = gateway.arrivals.recover
        gateway.arrivals.recover = self._answer  # type: ignore[method-assign]

    async def _answer(self, *asked: Any) -> Any:
        self._arrivals.recover = self._recover  # type: ignore[method-assign]
        answer = await self._recover(*asked)
        self.reached.set()
        await self.open.wait()
        return answer

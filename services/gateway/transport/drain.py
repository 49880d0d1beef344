"""Draining: the end of a gateway that its clients hardly notice."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import Callable
from typing import NoReturn

from services.gateway.transport.protocol import GatewayProtocol
from services.gateway.transport.server import GatewayServer
from shared.telemetry import metrics

__all__ = ["Drain", "leave"]

logger = logging.getLogger(__name__)

# RFC 6455's registry: the server restarts, come back.
_SERVICE_RESTART = 1012
_REASON = "restart: connect again"
_STEP_SECONDS = 0.05
# Few connections need not be spread over the whole time: as many as this come back in a second.
_PER_SECOND = 50
# For the last ones to answer their close frame and for their handlers to end.
_LAST_SECONDS = 2.5


class Drain:
    """Closes all connections, evenly over a time and in no order, then stops the server."""

    def __init__(self, server: GatewayServer, seconds: float) -> None:
        """Take the time over which a full gateway's clients are sent away."""
        self._server = server
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None
        self._signals = 0

    @property
    def is_running(self) -> bool:
        """Whether it has begun."""
        return self._task is not None

    def start(self) -> None:
        """Begin; a second call changes nothing. In the event loop."""
        if self._task is None:
            self._server.is_draining = True
            metrics.DRAINING.set(1)
            self._server.stop_listening()
            self._task = asyncio.get_running_loop().create_task(self._run())

    def start_or_stop(self) -> None:
        """
        Do what a signal does: begin, the second time end at once, then without any waiting.

        Signals are counted, not drains: who asks for one over HTTP before the orchestrator's
        SIGTERM comes does not mean that everybody shall be cut.
        """
        self._signals += 1
        if self._signals == 1:
            self.start()
        elif self._server.is_stopping:
            logger.warning("Told to end again: what is still being put away is left.")
            leave(1)
        else:
            logger.warning("Told to end a second time: %d are cut.", len(self._server.connections))
            self._server.stop()

    async def _run(self) -> None:
        try:
            await self._send_all_away()
        finally:
            # Whatever went wrong: a gateway that accepts nobody must not stay.
            self._server.stop()

    async def _send_all_away(self) -> None:
        waiting = list(self._server.open_connections())
        random.shuffle(waiting)
        seconds = min(self._seconds, len(waiting) / _PER_SECOND)
        logger.info("Draining %d connections in %.1f s.", len(waiting), seconds)
        await _spread(waiting, seconds, _send_away)
        # Those whose handshake was under way when this began.
        for late in self._server.open_connections():
            _send_away(late)
        deadline = asyncio.get_running_loop().time() + _LAST_SECONDS
        while self._server.connections and asyncio.get_running_loop().time() < deadline:
            for late in self._server.open_connections():
                _send_away(late)
            await asyncio.sleep(_STEP_SECONDS)
        logger.info("Drained; %d connections did not end.", len(self._server.connections))


def leave(status: int) -> NoReturn:
    """End the process now; a thread that waits for a database does not hold it back."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _spread(
    waiting: list[GatewayProtocol], seconds: float, act: Callable[[GatewayProtocol], None]
) -> None:
    loop = asyncio.get_running_loop()
    start, total = loop.time(), len(waiting)
    done = 0
    while done < total:
        passed = loop.time() - start
        due = total if passed >= seconds else int(total * passed / seconds) + 1
        for protocol in waiting[done:due]:
            act(protocol)
        done = max(done, due)
        if done < total:
            await asyncio.sleep(min(_STEP_SECONDS, seconds / total))


def _send_away(protocol: GatewayProtocol) -> None:
    if protocol.is_cut:
        return
    try:
        protocol.send_away(_SERVICE_RESTART, _REASON)
    except Exception:
        # One that cannot be told must not keep the others here.
        logger.exception("A connection could not be closed, and is dropped.")
        protocol.drop()

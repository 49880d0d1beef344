"""Refusals: handshakes that are turned down, with a status that tells a proxy and a log why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.telemetry import metrics

__all__ = ["Receive", "Scope", "Send", "refuse"]

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Send = Callable[[Mapping[str, Any]], Awaitable[None]]

_RETRY_SECONDS = 1


async def refuse(scope: Scope, send: Send, reason: str, status: int | None = None) -> None:
    """
    Turn a handshake down, after `websocket.connect` was received.

    Args:
        scope: the connection's.
        send: the ASGI server's.
        reason: why, for metrics; only "capacity", a database that is away, is told the client.
        status: of the answer; by default 503 for "capacity" and else 403. Servers that can send
            none make a 403 of it.
    """
    metrics.HANDSHAKES_REJECTED.labels(reason=reason).inc()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    status = status or (503 if reason == "capacity" else 403)
    headers = [(b"retry-after", b"%d" % _RETRY_SECONDS)] if status == 503 else []
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body"})

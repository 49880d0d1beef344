"""
What one client says: from its frames to its commands, each judged by the rules and then done.

Commands are done one after the other, but for subscriptions that come together: they read the log
together.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from services.gateway.centrifuge.answers import Answers
from services.gateway.centrifuge.commands import (
    Command,
    Connect,
    Subscribe,
    Unreadable,
    read,
)
from services.gateway.centrifuge.connection import Connection
from services.gateway.centrifuge.entrance import Entrance
from services.gateway.centrifuge.steps import End, Heard, Say, Work
from services.gateway.centrifuge.subscriptions import Subscriptions
from services.gateway.closecodes import CloseCode
from shared.telemetry import metrics

if TYPE_CHECKING:
    from services.gateway.centrifuge.client import Client

__all__ = ["KIND", "Conversation"]

# What metrics call this protocol.
KIND = "centrifuge"
# Done in one turn of the event loop; what comes of most of them is sent at once.
_COMMANDS_AT_ONCE = 50


class Conversation:
    """Takes one client's frames, one after the other."""

    # Each connection has one.
    __slots__ = (
        "_answers",
        "_client",
        "_entrance",
        "_is_over_rate",
        "_left",
        "_rules",
        "_subscriptions",
    )

    def __init__(
        self,
        client: Client,
        rules: Connection,
        entrance: Entrance,
        subscriptions: Subscriptions,
        answers: Answers,
    ) -> None:
        """Take the client, its rules, and who does what they allow."""
        self._client = client
        self._rules = rules
        self._entrance = entrance
        self._subscriptions = subscriptions
        self._answers = answers
        self._is_over_rate = False
        # Commands until others have their turn.
        self._left = _COMMANDS_AT_ONCE

    async def take(self, text: str | None) -> None:
        """Take a frame; None for a binary one."""
        if self._client.is_over:
            return
        if text is None:
            self._client.end(CloseCode.BAD_REQUEST)
            return
        wanted: list[Work] = []
        try:
            for command in read(text):
                if not self._left:
                    await self._let_others()
                    if self._client.is_over:
                        return
                if not isinstance(command.request, Subscribe) and wanted:
                    # What it may do next depends on what comes of these.
                    await self._subscriptions.subscribe(wanted)
                    wanted = []
                    if self._client.is_over:
                        return
                step = self._judge(command)
                if isinstance(step, Work) and isinstance(step.request, Subscribe):
                    wanted.append(step)
                    continue
                await self._do(step)
                if self._client.is_over:
                    return
            await self._subscriptions.subscribe(wanted)
        except Unreadable:
            await self._subscriptions.subscribe(wanted)
            self._client.end(CloseCode.BAD_REQUEST)
        if self._is_over_rate and self._rules.rest:
            await self._let_others()

    async def _let_others(self) -> None:
        """Give others their turn; for longer where too much was refused."""
        self._client.let_next()
        await asyncio.sleep(self._rules.rest if self._is_over_rate else 0)
        self._is_over_rate = False
        self._left = _COMMANDS_AT_ONCE

    def _judge(self, command: Command) -> Say | End | Work | Heard:
        method = command.method or "unknown"
        metrics.MESSAGES_RECEIVED.labels(kind=KIND, type=method).inc()
        self._left -= 1
        step = self._rules.begin(command, time.monotonic())
        if isinstance(step, Say):
            metrics.COMMAND_ERRORS.labels(type=method, code=str(int(step.code))).inc()
            self._is_over_rate = True
        return step

    async def _do(self, step: Say | End | Work | Heard) -> None:
        match step:
            case Say(text=text):
                self._client.say(text)
            case End(code):
                self._client.end(code)
            case Heard():
                if not self._client.take_pong():
                    self._client.end(CloseCode.BAD_REQUEST)
            case Work(number, Connect() as request):
                await self._entrance.enter(number, request)
            case Work(number, request):
                await self._answers.give(number, request)

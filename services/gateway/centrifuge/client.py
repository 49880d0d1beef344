"""
One client of the Centrifuge protocol: the shell around its connection's rules.

It brings frames to the rules, does what they ask for, and sends what comes of it. Commands are
done one after the other, but for subscriptions that come together: they read the log together.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING
from weakref import ref

from services.gateway.centrifuge import replies
from services.gateway.centrifuge.answers import Answers
from services.gateway.centrifuge.channels import Channels
from services.gateway.centrifuge.commands import (
    Command,
    Connect,
    Subscribe,
    Unreadable,
    read,
)
from services.gateway.centrifuge.connection import (
    Connection,
    End,
    Heard,
    Say,
    Work,
    refused,
)
from services.gateway.centrifuge.entrance import Entrance
from services.gateway.centrifuge.heart import Heart, TimerHeart, WireHeart
from services.gateway.centrifuge.subscriptions import Subscriptions
from services.gateway.closecodes import COUNTED_CODES, CloseCode
from services.gateway.outbox import Outbox, QueuedOutbox, WireOutbox
from services.gateway.refusal import Scope, Send
from services.gateway.transport.wire import EXTENSION
from shared.presence.clients import ClientInfo
from shared.realtime.controls import Control, Disconnect, Refresh, Unsubscribe
from shared.realtime.controls import Subscribe as Subscribed
from shared.realtime.exceptions import Refused
from shared.realtime.namespaces import namespace_of
from shared.telemetry import metrics

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.runtime import Gateway

__all__ = ["Client"]

_TRANSPORT = "websocket"
_KIND = "centrifuge"
_CONNECT_SECONDS = 10.0
# Clients know of it what is wrong with them, or are not there to hear it.
_UNTOLD = {CloseCode.SLOW, CloseCode.NO_PONG}


class Client:
    """From the handshake to the end; `close` is safe at any point in between, and twice."""

    def __init__(self, gateway: Gateway, session_key: str | None, scope: Scope, send: Send) -> None:
        """
        Take what the connection works with.

        Args:
            gateway: this process's gateway.
            session_key: of a cookie that may be believed; None without one.
            scope: the ASGI server's, in which ours may offer the connection's wire.
            send: the ASGI server's send.
        """
        self.name = str(uuid.uuid4())
        self._gateway = gateway
        self._send = send
        self._wire = scope.get("extensions", {}).get(EXTENSION, {}).get("wire")
        self._rules = Connection(time.monotonic(), namespace_of)
        self._channels = Channels(gateway.repair, gateway.arrivals)
        self._subscriptions = Subscriptions(self, self._rules, self._channels)
        self._entrance = Entrance(self, gateway, self._rules, self._channels, session_key)
        self._answers = Answers(self, gateway, self._subscriptions, self._entrance)
        # None until the handshake is accepted.
        self.outbox: Outbox | None = None
        self._heart: Heart | None = None
        # None until the client has said who it is.
        self.user: AbstractUser | None = None
        self._info: str | None = None
        self._session = ""
        self._is_over_rate = False

    # -- beginning and end --

    async def open(self, subprotocol: str | None) -> None:
        """Accept the handshake; who it is comes with the first command, and soon."""
        self._gateway.start()
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self.outbox = (
            QueuedOutbox(self._send, _KIND) if self._wire is None else WireOutbox(self._wire, _KIND)
        )
        if self._wire is not None:
            self._wire.farewell = self.send_away
        metrics.CONNECTIONS.labels(transport=_TRANSPORT).inc()
        metrics.CONNECTIONS_OPENED.labels(transport=_TRANSPORT).inc()
        asyncio.get_running_loop().call_later(_CONNECT_SECONDS, _end_if_stale, ref(self))

    def send_away(self) -> None:
        """Close because this server ends; the client goes to another one."""
        self.end(CloseCode.SHUTDOWN)

    def end(self, code: CloseCode) -> None:
        """Close from this side, after what was sent before and a word why."""
        self.disconnect(code, code.reason)

    def disconnect(self, code: int, reason: str) -> None:
        """Do what `end` does, in a server's own words."""
        self._rules.end()
        outbox = self.outbox
        if outbox is None or outbox.is_closing:
            return
        self._go(outbox)
        if code not in _UNTOLD:
            outbox.send(replies.disconnected(code, reason))
        outbox.close(code, reason)

    def obey(self, control: Control) -> None:
        """Do what a server wants of it, if it is meant."""
        if self.user is None or not control.meets(str(self.user.pk), self.name, self._session):
            return
        match control:
            case Disconnect(code=code, reason=reason):
                self.disconnect(code, reason)
            case Unsubscribe(channel=channel, code=code, reason=reason):
                self._subscriptions.end(channel, code, reason)
            case Refresh(expired=True):
                self.end(CloseCode.EXPIRED)
            case Refresh(expire_at=expire_at):
                self._entrance.refresh(expire_at or None)
            case Subscribed() if not self.is_over:
                self._subscriptions.make(control)

    def end_untold(self, code: CloseCode) -> None:
        """Close after a reply that has said why."""
        self._rules.end()
        if self.outbox is not None:
            self.outbox.close(code)

    def be(self, user: AbstractUser, info: str | None, session: str) -> None:
        """
        Be told who it is; from now on a revocation of that user ends the connection.

        Args:
            user: the account.
            info: what others are told of the connection, as JSON text.
            session: what the session is known by that it was opened with; "" for none.
        """
        self.user, self._info, self._session = user, info, session
        self._gateway.revocations.add(user.pk, self)

    def appear(self, channel: str, info: str | None = None) -> None:
        """Be shown in a channel that is heard now, where that is kept."""
        assert self.user is not None, "nobody hears anything before"
        if namespace_of(channel).presence:
            told = ClientInfo(self.name, str(self.user.pk), self._info, info)
            self._gateway.presence.add(channel, told)

    def disappear(self, channel: str, *, at_once: bool = False) -> None:
        """Be shown there no more; at once where it was the client's wish."""
        self._gateway.presence.remove(channel, self.name, at_once=at_once)

    def start_heart(self) -> None:
        """Ping from now on."""
        self._heart = TimerHeart(self) if self._wire is None else WireHeart(self._wire)

    def end_if_stale(self) -> None:
        """Close where nobody has said who they are."""
        if self.user is None:
            self.end(CloseCode.STALE)

    def close(self, code: int) -> None:
        """Clean up after the connection has ended, however it did."""
        self._rules.end()
        if self.user is not None:
            self._gateway.revocations.discard(self.user.pk, self)
        self._entrance.close()
        self._subscriptions.close()
        if self._heart is not None:
            self._heart.stop()
        outbox, self.outbox = self.outbox, None
        self._go(outbox)
        if outbox is None:
            return
        outbox.abandon()
        final = outbox.closed_with or code
        label = str(int(final)) if final in COUNTED_CODES else "other"
        metrics.CONNECTIONS.labels(transport=_TRANSPORT).dec()
        metrics.CONNECTIONS_CLOSED.labels(transport=_TRANSPORT, code=label).inc()

    def _go(self, outbox: Outbox | None) -> None:
        self._channels.leave_all(outbox)
        for channel in self._rules.subscriptions:
            self.disappear(channel)
        self._rules.subscriptions.clear()

    @property
    def is_over(self) -> bool:
        """Whether nothing that is said now would be heard."""
        return self.outbox is None or self.outbox.is_closing

    def say(self, text: str) -> None:
        """Send a message, if there is anybody to hear it."""
        if self.outbox is not None:
            self.outbox.send(text)

    # -- commands --

    async def receive(self, text: str | None) -> None:
        """Take a frame; None for a binary one."""
        if self.is_over:
            return
        if text is None:
            self.end(CloseCode.BAD_REQUEST)
            return
        wanted: list[Work] = []
        try:
            for command in read(text):
                step = self._judge(command)
                if isinstance(step, Work) and isinstance(step.request, Subscribe):
                    wanted.append(step)
                    continue
                await self._subscriptions.subscribe(wanted)
                wanted = []
                await self._do(step)
                if self.is_over:
                    return
            await self._subscriptions.subscribe(wanted)
        except Unreadable:
            await self._subscriptions.subscribe(wanted)
            self.end(CloseCode.BAD_REQUEST)
        if self._is_over_rate and self._rules.rest:
            await asyncio.sleep(self._rules.rest)
        self._is_over_rate = False

    def _judge(self, command: Command) -> Say | End | Work | Heard:
        metrics.MESSAGES_RECEIVED.labels(kind=_KIND, type=command.method or "unknown").inc()
        step = self._rules.begin(command, time.monotonic())
        if isinstance(step, Say):
            self._is_over_rate = True
        return step

    async def _do(self, step: Say | End | Work | Heard) -> None:
        match step:
            case Say(text):
                self.say(text)
            case End(code):
                self.end(code)
            case Heard():
                if self._heart is None or not self._heart.take_pong():
                    self.end(CloseCode.BAD_REQUEST)
            case Work(number, Connect() as request):
                await self._entrance.enter(number, request)
            case Work(number, request):
                await self._answers.give(number, request)

    def refuse(self, number: int, method: str, error: Refused) -> None:
        """Answer a command that is turned down."""
        metrics.COMMAND_ERRORS.labels(type=method, code=str(int(error.code))).inc()
        answer = refused(number, error)
        if isinstance(answer, Say):
            self.say(answer.text)


def _end_if_stale(client: ref[Client]) -> None:
    if (there := client()) is not None:
        there.end_if_stale()

"""
One connection of a plain endpoint: its limits, its outbox, its subscriptions, its end.

Consumers own it and bring the sockets' events; the hub knows only its outbox.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from services.gateway import plain
from services.gateway.allowance import has_room_here
from services.gateway.arrivals import NotSubscribed, Since
from services.gateway.centrifuge.visitors import told_of
from services.gateway.closecodes import COUNTED_CODES, CloseCode
from services.gateway.database import DatabaseAway
from services.gateway.limits import MalformedLimit, RateLimit
from services.gateway.outbox import Outbox, QueuedOutbox, WireOutbox
from services.gateway.refusal import Scope, Send, refuse
from services.gateway.shapes import Malformed, parse
from services.gateway.subscriber import Subscriber
from services.gateway.transport.wire import EXTENSION
from shared.accounts.commands import Suspended
from shared.accounts.logins import Login
from shared.presence.clients import ClientInfo
from shared.realtime.controls import Control, Disconnect, Unsubscribe
from shared.realtime.exceptions import ErrorCode, Refused
from shared.telemetry import metrics

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.runtime import Gateway
    from services.gateway.transport.protocol import GatewayProtocol

__all__ = ["PlainConnection"]

logger = logging.getLogger(__name__)

_TRANSPORT = "websocket"
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class PlainConnection:
    """From the handshake to the end; `close` is safe at any point in between, and twice."""

    def __init__(
        self,
        gateway: Gateway,
        user: AbstractUser,
        kind: str,
        scope: Scope,
        send: Send,
    ) -> None:
        """
        Take what the connection works with.

        Args:
            gateway: this process's gateway.
            user: who it is, from the session.
            kind: the namespace's name, for metrics.
            scope: the ASGI server's, in which ours may offer the connection's wire.
            send: the ASGI server's send.
        """
        self._gateway = gateway
        self._user = user
        self._kind = kind
        self._scope = scope
        self._send = send
        # The connection itself, where frames may go to its socket.
        offered = scope.get("extensions", {}).get(EXTENSION, {})
        self._wire: GatewayProtocol | None = offered.get("wire")
        self._subscriber = Subscriber(gateway.repair, gateway.arrivals)
        # None until the handshake is accepted.
        self._outbox: Outbox | None = None
        # Why it must not be opened anymore, once somebody has said so.
        self._ended: tuple[int, str] | None = None
        self._rate = RateLimit(time.monotonic())
        self._malformed = MalformedLimit()
        self._closed = False
        self._is_over_rate = False

    async def open(self, since: Since) -> None:
        """Accept the handshake and subscribe, or refuse it; afterwards all that is sent arrives."""
        self._gateway.start()
        if self._closed:
            return
        started = time.monotonic()
        if not has_room_here(self._gateway.revocations, self._user.pk):
            # After the handshake, because browsers do not tell why one was refused.
            await self._accept()
            self.end(CloseCode.CONNECTION_LIMIT)
            return
        # Before the database is asked whether the user is active, and the session still there: no
        # revocation falls in between.
        self._gateway.revocations.add(self._user.pk, self)
        try:
            await self._subscriber.prepare(self._user, since, self._scope.get("login"))
        except NotSubscribed:
            await self._turn_down("auth")
            return
        except DatabaseAway:
            await self._turn_down("capacity")
            return
        if self._ended is not None:
            await self._turn_down("auth")
            return
        await self._accept()
        if self._outbox is None:
            # The server gave this connection up while it was being opened.
            self._subscriber.leave(None)
            return
        if self._ended is not None:
            self._shut(*self._ended)
            return
        self._subscriber.complete(self._outbox)
        metrics.HANDSHAKE_DURATION.observe(time.monotonic() - started)

    async def _accept(self) -> None:
        if not self._closed:
            await self._send({"type": "websocket.accept"})
        if self._closed:
            return
        self._outbox = (
            QueuedOutbox(self._send, self._kind)
            if self._wire is None
            else WireOutbox(self._wire, self._kind)
        )
        metrics.CONNECTIONS.labels(transport=_TRANSPORT).inc()
        metrics.CONNECTIONS_OPENED.labels(transport=_TRANSPORT).inc()

    async def _turn_down(self, reason: str) -> None:
        self._subscriber.leave(None)
        await refuse(self._scope, self._send, reason)

    def read(self, text: str | None) -> dict[str, Any] | None:
        """
        Return the message of a frame, or None after refusing it.

        Args:
            text: the frame's text; None for a binary frame.
        """
        if self._outbox is None or self._outbox.is_closing:
            # It was on its way when this side closed; nobody would hear its acknowledgement.
            return None
        metrics.MESSAGES_RECEIVED.labels(kind=self._kind, type="publish").inc()
        if text is None:
            # A stock server would fail to send 1003.
            is_ours = EXTENSION in self._scope.get("extensions", {})
            self.end(CloseCode.UNSUPPORTED_DATA if is_ours else CloseCode.BAD_REQUEST)
            return None
        now = time.monotonic()
        try:
            message = parse(text)
        except Malformed as error:
            self.refuse(Refused(ErrorCode.BAD_REQUEST, str(error)))
            if self._malformed.exceeded(now):
                self.end(CloseCode.BAD_REQUEST)
            message = None
        if wait := self._rate.take(now):
            self._is_over_rate = True
            words = f"Too many messages: wait {wait:.1f} s."
            self.refuse(
                Refused(ErrorCode.TOO_MANY_REQUESTS, words), message or {}, retry_after=wait
            )
            if self._rate.exhausted(now):
                self.end(CloseCode.TOO_MANY_REQUESTS)
            return None
        return message

    async def rest(self) -> None:
        """Wait for a moment where the client's last message was one too many of many."""
        if self._is_over_rate and self._rate.rest:
            await asyncio.sleep(self._rate.rest)
        self._is_over_rate = False

    async def publish(self, channel: str, message: dict[str, Any]) -> None:
        """Have the namespace store and publish a message; its frame is the acknowledgement."""
        started = time.monotonic()
        try:
            # This protocol has no name for a connection.
            info = ClientInfo("", str(self._user.pk), told_of(self._user))
            outcome = await self._gateway.commits.publish(self._user, channel, message, info)
        except Refused as error:
            self.refuse(error, message)
            if isinstance(error, Suspended):
                self.end(CloseCode.BANNED)
            elif error.code is ErrorCode.PERMISSION_DENIED:
                self.end(CloseCode.PERMISSION_DENIED)
            return
        except DatabaseAway:
            words = "This could not be stored just now: send it again in a moment."
            self.refuse(Refused(ErrorCode.INTERNAL, words), message)
            return
        except Exception:
            # A mistake in a namespace costs its sender an answer, not the connection.
            logger.exception("on_publish of the namespace %s failed.", self._kind)
            words = "This did not work, and it is our fault: it is in the log."
            self.refuse(Refused(ErrorCode.INTERNAL, words), message)
            return
        metrics.COMMAND_DURATION.labels(type="publish").observe(time.monotonic() - started)
        if outcome.repeated and self._outbox is not None:
            self._outbox.send(plain.publication(outcome.published))

    def refuse(
        self,
        error: Refused,
        message: dict[str, Any] | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        """Tell the client why its message was turned down."""
        metrics.COMMAND_ERRORS.labels(type="publish", code=str(int(error.code))).inc()
        client_id = (message or {}).get("client_id")
        known = isinstance(client_id, str) and _CLIENT_ID.fullmatch(client_id)
        if self._outbox is not None:
            self._outbox.send(
                plain.error(
                    error.code,
                    error.message,
                    field=error.field,
                    client_id=client_id if known else None,
                    retry_after=retry_after,
                )
            )

    def end(self, code: CloseCode) -> None:
        """Close from this side, after what was sent before; while it is being opened, refuse it."""
        self._shut(code, code.reason)

    def _shut(self, code: int, reason: str) -> None:
        self._ended = code, reason
        if self._outbox is not None:
            self._subscriber.leave(self._outbox)
            self._outbox.close(code, reason)

    def obey(self, control: Control) -> None:
        """Do what a server wants of it; this protocol has no name for a connection."""
        if not control.meets(str(self._user.pk), "", self._scope.get("session", "")):
            return
        match control:
            case Disconnect(code=code, reason=reason):
                self._shut(code, reason)
            case Unsubscribe(channel=channel) if channel in self._subscriber.channels:
                # It hears one channel, and is for nothing else.
                self.end(CloseCode.PERMISSION_DENIED)

    @property
    def login(self) -> Login | None:
        """The session that it was opened with."""
        login: Login | None = self._scope.get("login")
        return login

    def permitted(self) -> Collection[str]:
        """Return the channels that it hears, or is about to."""
        return self._subscriber.channels

    def lose(self, channel: str) -> None:
        """End, as it is for nothing else."""
        if channel in self._subscriber.channels:
            self.end(CloseCode.PERMISSION_DENIED)

    def renew_user(self, user: AbstractUser) -> None:
        """Take its user as the database has them now."""
        self._user = user

    def close(self, code: int) -> None:
        """Clean up after the connection has ended, however it did."""
        self._closed = True
        self._gateway.revocations.discard(self._user.pk, self)
        outbox, self._outbox = self._outbox, None
        self._subscriber.leave(outbox)
        if outbox is None:
            return
        outbox.abandon()
        final = outbox.closed_with or code
        label = str(int(final)) if final in COUNTED_CODES else "other"
        metrics.CONNECTIONS.labels(transport=_TRANSPORT).dec()
        metrics.CONNECTIONS_CLOSED.labels(transport=_TRANSPORT, code=label).inc()

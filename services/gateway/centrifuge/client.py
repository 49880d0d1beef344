"""
One client of the Centrifuge protocol: the shell around its connection's rules.

It is what the rest of the gateway knows of a client: where to send, whom to end, what servers want
of it. What the client says is its conversation's.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

from services.gateway.allowance import counted_in
from services.gateway.centrifuge import replies
from services.gateway.centrifuge.ahead import Ahead
from services.gateway.centrifuge.answers import Answers
from services.gateway.centrifuge.channels import Channels
from services.gateway.centrifuge.connection import Connection
from services.gateway.centrifuge.conversation import KIND, Conversation
from services.gateway.centrifuge.entrance import Entrance
from services.gateway.centrifuge.heart import Heart, TimerHeart, WireHeart
from services.gateway.centrifuge.steps import Say, refused
from services.gateway.centrifuge.subscriptions import Subscriptions
from services.gateway.centrifuge.visitors import json_of
from services.gateway.closecodes import COUNTED_CODES, CloseCode, UnsubscribeCode
from services.gateway.outbox import Outbox, QueuedOutbox, WireOutbox
from services.gateway.refusal import Receive, Scope, Send
from services.gateway.transport.wire import EXTENSION
from shared.accounts.hearing import id_of
from shared.accounts.logins import Login, mark_of
from shared.presence.clients import ClientInfo
from shared.realtime.controls import Control, Disconnect, Refresh, Unsubscribe
from shared.realtime.controls import Subscribe as Subscribed
from shared.realtime.exceptions import Refused
from shared.realtime.namespaces import namespace_for_clients, namespace_of
from shared.telemetry import metrics
from shared.tokens.grants import Origin

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.admission import Turn
    from services.gateway.runtime import Gateway

__all__ = ["Client"]

_TRANSPORT = "websocket"
_CONNECT_SECONDS = 10.0
# Clients know of it what is wrong with them, or are not there to hear it.
_UNTOLD = {CloseCode.SLOW, CloseCode.NO_PONG}
# What servers may want of a client that is being let in.
_MOST_LATE = 128


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
        self._channels = Channels(gateway.repair, gateway.arrivals)
        self._rules = Connection(
            time.monotonic(), namespace_for_clients, is_heard=self._channels.is_joined
        )
        self._subscriptions = Subscriptions(self, self._rules, self._channels)
        self._entrance = Entrance(self, gateway, self._rules, self._channels, session_key)
        answers = Answers(self, gateway, self._subscriptions, self._entrance)
        self._conversation = Conversation(
            self, self._rules, self._entrance, self._subscriptions, answers
        )
        # While others may wait for it at the door.
        self.turn: Turn | None = None
        # None until the handshake is accepted.
        self.outbox: Outbox | None = None
        self._heart: Heart | None = None
        self._ahead: Ahead | None = None
        # None until the client has said who it is.
        self.user: AbstractUser | None = None
        self._info: str | None = None
        self.login: Login | None = None
        # What controls know its session or key by; two while it is about to go on with another.
        self._marks: tuple[str, ...] = ("",)
        # What was heard of it while it was being let in, to be done then.
        self._late: list[Callable[[], None]] = []

    # -- beginning and end --

    async def open(self, subprotocol: str | None) -> None:
        """Accept the handshake; who it is comes with the first command, and soon."""
        self._gateway.start()
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self.outbox = (
            QueuedOutbox(self._send, KIND) if self._wire is None else WireOutbox(self._wire, KIND)
        )
        if self._wire is not None:
            self._wire.farewell = self.send_away
        metrics.CONNECTIONS.labels(transport=_TRANSPORT).inc()
        metrics.CONNECTIONS_OPENED.labels(transport=_TRANSPORT).inc()
        asyncio.get_running_loop().call_later(_CONNECT_SECONDS, _end_if_stale, ref(self))

    def following(self, receive: Receive) -> Receive:
        """Return what gives the messages of the server's `receive`, with pongs heard before."""
        if self._wire is not None:
            # Our own transport hears them.
            return receive
        self._ahead = Ahead(receive, self.take_pong)
        return self._ahead.receive

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
        if self.user is None or not self._is_met(control, id_of(self.user)):
            return
        match control:
            case Disconnect(code=code, reason=reason):
                self.disconnect(code, reason)
            case Refresh(expired=True):
                self.end(CloseCode.EXPIRED)
            case _ if self._rules.is_connecting:
                self._put_off(partial(self.obey, control))
            case Unsubscribe(channel=channel, code=code, reason=reason):
                self._subscriptions.end(channel, code, reason)
            case Refresh(expire_at=expire_at, info=info):
                if info is not None:
                    self._introduce(json_of(info))
                self._entrance.refresh(expire_at or None)
            case Subscribed() if not self.is_over:
                self._subscriptions.make(control)

    def _is_met(self, control: Control, user_id: str) -> bool:
        return any(control.meets(user_id, self.name, mark) for mark in self._marks)

    def _put_off(self, act: Callable[[], None]) -> None:
        if len(self._late) == _MOST_LATE:
            # It comes back to what they have made of it by then.
            self.end(CloseCode.FORCE_RECONNECT)
        self._late.append(act)

    def obey_late(self) -> None:
        """Do what was put off until it is in."""
        late, self._late = self._late, []
        for act in late:
            act()

    def _introduce(self, info: str | None) -> None:
        """Have others told something else of it from now on."""
        self._info = info
        for channel in self._channels.joined:
            self.appear(channel)

    def permitted(self) -> list[str]:
        """Return the channels that it hears, or is about to, because its user may."""
        return [name for name, each in self._rules.subscriptions.items() if not each.is_granted]

    def is_granted(self, channel: str) -> bool:
        """Whether it hears a channel because a server lets it, whatever its user may."""
        subscription = self._rules.subscriptions.get(channel)
        return subscription is not None and subscription.is_granted

    def lose(self, channel: str) -> None:
        """Hear a channel no longer, as its user may not."""
        if self._rules.is_connecting:
            self._put_off(partial(self.lose, channel))
            return
        self._subscriptions.end(channel, UnsubscribeCode.SERVER, UnsubscribeCode.SERVER.reason)

    def renew_user(self, user: AbstractUser) -> None:
        """Take its user as the database has them now."""
        self.user = user

    def end_untold(self, code: CloseCode) -> None:
        """Close after a reply that has said why."""
        self._rules.end()
        if self.outbox is not None:
            self.outbox.close(code)

    def be(self, user: AbstractUser, info: str | None, login: Login | None) -> None:
        """
        Be told who it is; from now on a revocation of that user ends the connection.

        Args:
            user: the account.
            info: what others are told of the connection, as JSON text.
            login: the session or the key that it ends with; None ends with nothing.
        """
        self.user, self._info = user, info
        self.go_on_with(login)
        self._gateway.revocations.add(user.pk, self)

    def go_on_with(self, login: Login | None) -> None:
        """Be told that it ends with another session or key from now on, as `be` takes it."""
        self.login = login
        self._marks = ("" if login is None else mark_of(login.origin),)

    def end_also_with(self, origin: Origin) -> None:
        """Be told that it may go on with something else, until `go_on_with` says with what."""
        self._marks = (*self._marks, mark_of(origin))

    def info_in(self, channel: str) -> ClientInfo:
        """Return what others in a channel are told of it."""
        assert self.user is not None, "nobody does anything before"
        subscription = self._rules.subscriptions.get(channel)
        info = None if subscription is None else subscription.info
        return ClientInfo(self.name, id_of(self.user), self._info, info)

    def appear(self, channel: str) -> None:
        """Be shown in a channel that is heard now, where that is kept."""
        is_hidden = self._rules.subscriptions[channel].is_hidden
        if namespace_of(channel).presence and not is_hidden:
            self._gateway.presence.add(channel, self.info_in(channel))

    def disappear(self, channel: str, *, at_once: bool = False) -> None:
        """Be shown there no more; at once where it was the client's wish."""
        if self.user is not None and channel == counted_in(self.user):
            # As long as it is here, whatever it hears.
            return
        self._gateway.presence.remove(channel, self.name, at_once=at_once)

    def start_heart(self) -> None:
        """Ping from now on."""
        self._heart = TimerHeart(self) if self._wire is None else WireHeart(self._wire)

    def take_pong(self) -> bool:
        """Be told of a pong; return whether there was a ping to answer."""
        return self._heart is not None and self._heart.take_pong()

    @property
    def is_behind(self) -> bool:
        """Whether a pong may be where it cannot be heard yet."""
        return self._ahead is not None and self._ahead.is_full

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
        if self._ahead is not None:
            self._ahead.stop()
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
        if self.user is not None:
            self._gateway.presence.remove(counted_in(self.user), self.name)

    @property
    def is_over(self) -> bool:
        """Whether nothing that is said now would be heard."""
        return self.outbox is None or self.outbox.is_closing

    def say(self, text: str, *, is_granted: bool = False) -> None:
        """Send a message, if there is anybody to hear it; see `Outbox.send_catch_up`."""
        if self.outbox is not None:
            if is_granted:
                self.outbox.send_catch_up([text])
            else:
                self.outbox.send(text)

    async def wait_for_room(self) -> None:
        """Wait until what was sent has been taken, or nobody is there to take it."""
        if self.outbox is not None and not self.outbox.has_room:
            self.let_next()
            await self.outbox.wait_for_room()

    def let_next(self) -> None:
        """Keep nobody waiting any longer who is to be let in after this one."""
        if self.turn is not None:
            self.turn.end()

    # -- commands --

    async def receive(self, text: str | None) -> None:
        """Take a frame; None for a binary one."""
        await self._conversation.take(text)

    def refuse(self, number: int, method: str, error: Refused, *, temporary: bool = False) -> None:
        """Answer a command that is turned down; `temporary` has the client try again."""
        metrics.COMMAND_ERRORS.labels(type=method, code=str(int(error.code))).inc()
        answer = refused(number, error, temporary=temporary)
        if isinstance(answer, Say):
            self.say(answer.text)


def _end_if_stale(client: ref[Client]) -> None:
    if (there := client()) is not None:
        there.end_if_stale()

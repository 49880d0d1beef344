"""A client's subscribe commands: from what it asks for to what it hears."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from services.gateway.arrivals import NoLongerActive, NotSubscribed
from services.gateway.caughtup import CaughtUp
from services.gateway.centrifuge import replies
from services.gateway.centrifuge.channels import Channels
from services.gateway.centrifuge.commands import SubRefresh, Subscribe
from services.gateway.centrifuge.connection import Connection
from services.gateway.centrifuge.expiry import Expiry
from services.gateway.centrifuge.overrides import hides, tells
from services.gateway.centrifuge.steps import TurnedDown, Work, try_again
from services.gateway.centrifuge.visitors import json_of
from services.gateway.closecodes import CloseCode, UnsubscribeCode
from services.gateway.database import DatabaseAway
from shared.accounts.hearing import id_of
from shared.realtime.controls import Subscribe as Subscribed
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.namespaces import namespace_for_clients, namespace_of
from shared.realtime.positions import Position
from shared.realtime.refusals import as_refusal
from shared.tokens.exceptions import ForeignToken, InvalidToken, TokenExpired
from shared.tokens.grants import SubscriptionOptions, SubscriptionToken
from shared.tokens.verification import verify_subscription

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.centrifuge.client import Client

__all__ = ["Subscriptions", "place_of", "result_of"]

logger = logging.getLogger(__name__)

# Channels of one client in which it is read at once what it missed.
_AT_ONCE = 16
_RETRY_SECONDS = 1.0
# In `flag`: that the client wants an error where what it missed cannot be told.
_RECOVERY_ASKED = 2
# Of a subscription without a token.
_PLAIN = SubscriptionOptions()


class Subscriptions:
    """What one client has asked to hear."""

    def __init__(self, client: Client, rules: Connection, channels: Channels) -> None:
        self._client = client
        self._rules = rules
        self._channels = channels
        # Of the subscriptions that have an end.
        self._expiries: dict[str, Expiry] = {}
        # Those that were ended while they were under way: they keep their names until then, and
        # do not begin.
        self._unwanted: set[str] = set()
        # Subscriptions that servers want, on their way.
        self._making: set[asyncio.Task[None]] = set()

    async def subscribe(self, wanted: Sequence[Work]) -> None:
        """Answer subscribe commands that came together; the log is read for all at once."""
        if len(wanted) == 1:
            await self._subscribe_with_room(wanted[0])
        elif wanted:
            slots = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(self._subscribe_within(slots, work) for work in wanted))

    async def _subscribe_within(self, slots: asyncio.Semaphore, work: Work) -> None:
        async with slots:
            await self._subscribe_with_room(work)

    async def _subscribe_with_room(self, work: Work) -> None:
        if isinstance(work.request, Subscribe) and work.request.recover:
            # What it has missed elsewhere is taken first: it may be half a megabyte each time.
            await self._client.wait_for_room()
        if not self._client.is_over:
            await self._subscribe(work)

    async def _subscribe(self, work: Work) -> None:
        request, user = work.request, self._client.user
        assert isinstance(request, Subscribe)
        assert user is not None, "the rules let nobody in who has not connected"
        try:
            token = self._permit(request) if request.token else None
            place = place_of(request)
            # What we have signed ourselves was permitted then, and may not be anymore.
            granted = [] if token is None or token.issued_here else [request.channel]
            if token is not None:
                self._rules.describe(
                    request.channel,
                    json_of(token.options.info),
                    is_granted=bool(granted),
                    is_hidden=hides(request.channel, token.options.override),
                )
            await self._channels.prepare(user, {request.channel: place}, granted)
        except TokenExpired:
            self._refuse(work.number, request, ErrorCode.TOKEN_EXPIRED, "token expired")
        except ForeignToken:
            self._client.end(CloseCode.INVALID_TOKEN)
        except NoLongerActive:
            self._client.end(CloseCode.BANNED)
        except (NotSubscribed, InvalidToken):
            self._refuse(work.number, request, ErrorCode.PERMISSION_DENIED, "permission denied")
        except DatabaseAway:
            self._turn_away(work.number, request, try_again())
        except RealtimeError as error:
            # What the namespace says of it itself.
            self._turn_away(work.number, request, as_refusal(error))
        except Exception:
            # A mistake in an app's hook costs this subscription, not the connection.
            logger.exception("A subscription failed.")
            self._turn_away(work.number, request, try_again())
        else:
            self._complete(work.number, request, token)

    def _permit(self, request: Subscribe | SubRefresh) -> SubscriptionToken:
        """
        Return the token that lets the client hear the channel.

        Raises:
            TokenExpired, InvalidToken, ForeignToken: it does not.
        """
        user = self._client.user
        assert user is not None, "the rules let nobody in who has not connected"
        channel, name = request.channel or None, self._client.name
        token = verify_subscription(request.token, channel, id_of(user), name, time.time())
        # Libraries of another day leave it out: the token names it.
        request.channel = token.channel
        return token

    def renew(self, request: SubRefresh) -> int | None:
        """
        Let a subscription go on with a new token; return its seconds, None without an end.

        Raises:
            TokenExpired: it needs another one.
            TurnedDown: what it brought is none, or for something else.
            Refused: there is no token, or nothing to go on with.
        """
        if not request.token:
            raise Refused(ErrorCode.BAD_REQUEST, "a token is needed")
        try:
            token = self._permit(request)
        except (InvalidToken, ForeignToken) as error:
            raise TurnedDown(CloseCode.INVALID_TOKEN) from error
        if request.channel not in self._rules.subscriptions:
            raise Refused(ErrorCode.PERMISSION_DENIED, "permission denied")
        return self._expire(request.channel, token.expire_at)

    def _expire(self, channel: str, expire_at: float | None) -> int | None:
        if channel not in self._expiries and expire_at is None:
            return None
        # Of its own for each, as few subscriptions end.
        expiry = self._expiries.setdefault(channel, Expiry(lambda: self._end_expired(channel)))
        return expiry.set(expire_at)

    def _end_expired(self, channel: str) -> None:
        subscription = self._rules.subscriptions.get(channel)
        if subscription is None:
            # The connection is being closed.
            return
        if subscription.is_server_side:
            # Its library renews only what it has subscribed to itself.
            self._client.end(CloseCode.SUBSCRIPTION_EXPIRED)
            return
        self.end(channel, UnsubscribeCode.EXPIRED, UnsubscribeCode.EXPIRED.reason)

    def end(self, channel: str, code: int, reason: str) -> None:
        """End a subscription from this side, if there is one, and tell the client."""
        if channel not in self._rules.subscriptions:
            return
        if not self._channels.is_joined(channel):
            # What becomes of it is told by its reply. A library ignores pushes for what it has not
            # got yet, and gives a connection up that owes it an answer.
            self._unwanted.add(channel)
            return
        self._drop(channel)
        self._client.say(replies.unsubscribed(channel, code, reason))

    def make(self, control: Subscribed) -> None:
        """Have the client hear a channel because a server wants it to."""
        if control.channel in self._rules.subscriptions:
            return
        try:
            namespace_for_clients(control.channel)
            is_hidden = hides(control.channel, control.override)
        except RealtimeError as error:
            logger.warning("A server's subscription to %s failed: %r", control.channel, error)
            return
        self._rules.subscribe_server_side(
            control.channel, json_of(control.info), is_granted=True, is_hidden=is_hidden
        )
        task = asyncio.create_task(self._make(control))
        # The event loop itself keeps no task alive.
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    async def _make(self, control: Subscribed) -> None:
        user, channel, since = self._client.user, control.channel, control.recover_since
        assert user is not None, "controls are for those who have connected"
        place = None if since is None else Position(since.epoch, since.offset)
        try:
            await self._prepare_made(user, channel, place)
        except NotSubscribed as error:
            logger.warning("A server's subscription to %s failed: %r", channel, error)
            self._drop(channel)
            return
        except Exception:
            # A mistake in an app's hook costs this subscription alone.
            logger.exception("A server's subscription to %s failed.", channel)
            self._drop(channel)
            return
        outbox = self._client.outbox
        if outbox is None or self._client.is_over:
            return
        if channel in self._unwanted:
            self._drop(channel)
            return
        caught_up = self._channels.result(channel)
        self._expire(channel, control.expire_at or None)
        has_history = namespace_of(channel).history_size > 0
        result = replies.subscription(caught_up, has_history=has_history, recover=False)
        missed = caught_up.missed.texts(replies.publication)
        made = replies.made(channel, result, control.data)
        outbox.send_catch_up(replies.frames([made, *missed]))
        told = tells(channel, control.override)
        self._channels.join(channel, outbox, self._lose_place, join_leave=told)
        self._client.appear(channel)

    async def _prepare_made(self, user: AbstractUser, channel: str, place: Position | None) -> None:
        """
        Prepare what a server wants the client to hear, however long the database is away.

        The client cannot ask for it, as it does not know of it.

        Raises:
            NotSubscribed: it may not hear it.
        """
        while channel not in self._unwanted:
            try:
                await self._channels.prepare(user, {channel: place}, [channel])
            except DatabaseAway:
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def _lose_place(self) -> None:
        # Its library has no other way back to a channel that was made for it.
        self._client.end(CloseCode.INSUFFICIENT_STATE)

    def close(self) -> None:
        """Let no time end anymore."""
        for expiry in self._expiries.values():
            expiry.stop()
        self._expiries.clear()
        for task in self._making:
            task.cancel()

    def _complete(self, number: int, request: Subscribe, token: SubscriptionToken | None) -> None:
        """Answer, give what was missed, and join; all in one step of the loop."""
        channel, outbox = request.channel, self._client.outbox
        if outbox is None or self._client.is_over:
            return
        if channel in self._unwanted:
            self._refuse(number, request, ErrorCode.PERMISSION_DENIED, "permission denied")
            return
        caught_up = self._channels.result(channel)
        if caught_up.is_lost and request.flag & _RECOVERY_ASKED:
            code = ErrorCode.UNRECOVERABLE_POSITION
            self._refuse(number, request, code, "unrecoverable position")
            return
        lifetime = self._expire(channel, None if token is None else token.expire_at)
        result = result_of(channel, caught_up, request, lifetime)
        options = _PLAIN if token is None else token.options
        if options.data is not None:
            result = replies.with_data(result, options.data)
        outbox.send_catch_up([replies.subscribed(number, result)])
        told = tells(channel, options.override, is_asked=request.join_leave)
        self._channels.join(channel, outbox, lambda: self._drop(channel), join_leave=told)
        self._client.appear(channel)

    def _refuse(self, number: int, request: Subscribe, code: ErrorCode, words: str) -> None:
        self._turn_away(number, request, Refused(code, words))

    def _turn_away(self, number: int, request: Subscribe, error: Refused) -> None:
        self._drop(request.channel)
        self._client.refuse(number, "subscribe", error)

    def leave(self, channel: str) -> None:
        """Hear a channel no longer, as the client wishes."""
        if channel in self._rules.subscriptions and not self._channels.is_joined(channel):
            # A server is about to have the client hear it.
            self._unwanted.add(channel)
        else:
            self._drop(channel, at_once=True)

    def _drop(self, channel: str, *, at_once: bool = False) -> None:
        """Hear a channel no longer, or never; `at_once` where that is the client's wish."""
        self._unwanted.discard(channel)
        if self._rules.forget(channel):
            self._client.disappear(channel, at_once=at_once)
        if (expiry := self._expiries.pop(channel, None)) is not None:
            expiry.stop()
        if self._client.outbox is not None:
            self._channels.leave(channel, self._client.outbox)


def place_of(request: Subscribe | None) -> Position | None:
    """Return where the client says that it stood; None if it asks for nothing that it missed."""
    if request is None or not request.recover:
        return None
    # Also where nothing is kept: that what it missed is lost is for it to hear.
    return Position(request.epoch, request.offset)


def result_of(
    channel: str, caught_up: CaughtUp, request: Subscribe | None, lifetime: int | None = None
) -> str:
    """Return the result of a subscription, whether it was asked for or made for the client."""
    return replies.subscription(
        caught_up,
        has_history=namespace_of(channel).history_size > 0,
        recover=request is not None and request.recover,
        lifetime=lifetime,
    )

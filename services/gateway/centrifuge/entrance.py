"""A client's first command: who it is, and what it hears without asking."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING

from django.conf import settings

from services.gateway.allowance import has_room, has_room_here
from services.gateway.arrivals import LoginEnded, NoLongerActive, NotSubscribed, Since
from services.gateway.centrifuge import replies
from services.gateway.centrifuge.channels import Channels
from services.gateway.centrifuge.commands import Connect, Subscribe
from services.gateway.centrifuge.connection import MOST_SUBSCRIPTIONS, Connection
from services.gateway.centrifuge.credentials import holder_of, identify, token_of
from services.gateway.centrifuge.expiry import Expiry
from services.gateway.centrifuge.overrides import hides, tells
from services.gateway.centrifuge.steps import TurnedDown, try_again
from services.gateway.centrifuge.subscriptions import place_of, result_of
from services.gateway.centrifuge.visitors import Visitor, json_of
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway
from services.gateway.recoveries import lost
from shared.accounts.hearing import id_of
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.history import RECOVERY_BYTES
from shared.realtime.prefixes import is_private
from shared.telemetry import build
from shared.tokens.exceptions import TokenExpired
from shared.tokens.grants import SubscriptionOptions

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.centrifuge.client import Client
    from services.gateway.runtime import Gateway

__all__ = ["Entrance"]

logger = logging.getLogger(__name__)

# Channels that servers had a client hear, in which it is read at once what it missed.
_AT_ONCE = 16


class Entrance:
    """Lets one client in, once."""

    def __init__(
        self,
        client: Client,
        gateway: Gateway,
        rules: Connection,
        channels: Channels,
        session_key: str | None,
    ) -> None:
        """Take the client, what it works with, and the key of a cookie that may be believed."""
        self._client = client
        self._gateway = gateway
        self._rules = rules
        self._channels = channels
        self._session_key = session_key
        self._expiry = Expiry(self._expire)
        # The channels that its token names.
        self._named: frozenset[str] = frozenset()

    async def enter(self, number: int, request: Connect) -> None:
        """Find out who it is, subscribe it to what is its own, and greet it; or turn it away."""
        try:
            visitor = await identify(self._gateway.arrivals, request.token, self._session_key)
            if self._client.is_over:
                return
            if not self._has_room_here(visitor.user):
                raise TurnedDown(CloseCode.CONNECTION_LIMIT)
            self._named = frozenset(visitor.subs)
            # Before the database is asked whether the user is active, and the login still counts:
            # no revocation falls between.
            self._client.be(visitor.user, visitor.info, visitor.login)
            if not await self._has_room(visitor.user):
                raise Refused(ErrorCode.TOO_MANY_REQUESTS, "too many connections")
            channels = await self._prepare(visitor, request)
        except TurnedDown as end:
            self._client.disconnect(end.code, end.reason)
        except TokenExpired:
            self._turn_away(number, _token_expired())
        except LoginEnded as error:
            if request.token:
                self._turn_away(number, _token_expired())
            else:
                self._client.end(error.code)
        except NoLongerActive:
            self._client.end(CloseCode.BANNED)
        except NotSubscribed:
            self._client.end(CloseCode.PERMISSION_DENIED)
        except Refused as refusal:
            self._turn_away(number, refusal)
        except DatabaseAway:
            self._turn_away(number, try_again())
        except Exception:
            # A mistake in an app's hook, such as its namespace's.
            logger.exception("A client could not be let in.")
            self._turn_away(number, try_again())
        else:
            if not self._client.is_over:
                self._welcome(number, visitor, request, channels)

    def _has_room_here(self, user: AbstractUser) -> bool:
        return user.is_anonymous or has_room_here(self._gateway.revocations, user.pk)

    async def _has_room(self, user: AbstractUser) -> bool:
        presence, revocations = self._gateway.presence, self._gateway.revocations
        return user.is_anonymous or await has_room(presence, revocations, user.pk)

    async def _prepare(self, visitor: Visitor, request: Connect) -> list[str]:
        """
        Prepare what the client is to hear, and return it.

        That is what is its own, all of it or none, and of what servers had it hear before it was
        cut what it may hear without them.

        Raises:
            NotSubscribed: something of its own is not for it.
            TurnedDown: that is too much.
            DatabaseAway: the log cannot be read now.
        """
        user = visitor.user
        own = await self._gateway.arrivals.own_channels(user)
        own += [name for name in visitor.subs if name not in own]
        more = [name for name in request.subs if name not in own and not is_private(name)]
        if len(own) + len(more) > MOST_SUBSCRIPTIONS:
            raise TurnedDown(CloseCode.CHANNEL_LIMIT)
        for name in (*own, *more):
            # From now on, so that whatever a server wants of one of them meanwhile is about it.
            options = visitor.options(name)
            self._rules.subscribe_server_side(
                name,
                json_of(options.info),
                is_granted=name in visitor.granted,
                is_hidden=hides(name, options.override),
            )
        places = {name: place_of(request.subs.get(name)) for name in (*own, *more)}
        await self._channels.prepare(
            user, {name: places[name] for name in own}, visitor.granted, visitor.login
        )
        # All of it comes in one frame, which no library may find too large.
        left = self._channels.keep(own, RECOVERY_BYTES)
        for some in batched(more, _AT_ONCE):
            wanted = {name: places[name] if left else lost(places[name]) for name in some}
            await self._prepare_each(user, wanted)
            left = self._channels.keep(some, left)
        return [*own, *(name for name in more if name in self._rules.subscriptions)]

    async def _prepare_each(self, user: AbstractUser, since: Since) -> None:
        """Prepare each by itself: one that is refused is no reason to refuse the next."""
        outcomes = await asyncio.gather(
            *(self._channels.prepare(user, {name: place}) for name, place in since.items()),
            return_exceptions=True,
        )
        for name, outcome in zip(since, outcomes, strict=True):
            if type(outcome) is NotSubscribed or isinstance(outcome, RealtimeError):
                self._rules.forget(name)
            elif outcome is not None:
                raise outcome

    async def renew(self, text: str, user: AbstractUser) -> int | None:
        """
        Let a client stay with a new token; return its seconds, None without an end.

        Raises:
            TokenExpired: it needs another one.
            TurnedDown: it is none, or somebody else's, or for other channels.
            DatabaseAway: it cannot be asked now whether the token still counts.
        """
        token = token_of(text)
        if token.user != id_of(user):
            raise TurnedDown(CloseCode.INVALID_TOKEN)
        before = self._client.login
        # Before the database is asked, as in `enter`: no end of the new one's falls between.
        self._client.end_also_with(token.origin)
        try:
            _, login = await holder_of(self._gateway.arrivals, token)
        except BaseException:
            self._client.go_on_with(before)
            raise
        self._client.go_on_with(login)
        if token.subs.keys() != self._named:
            # What it hears without asking was made when it came, and is made when it comes again.
            raise TurnedDown(CloseCode.INSUFFICIENT_STATE)
        return None if self._client.is_over else self._expiry.set(token.expire_at)

    def refresh(self, expire_at: float | None) -> None:
        """Change until when the client may stay, and tell it."""
        self._client.say(replies.refresh(self._expiry.set(expire_at)))

    def close(self) -> None:
        """Let no time end anymore."""
        self._expiry.stop()

    def _welcome(
        self, number: int, visitor: Visitor, request: Connect, channels: Sequence[str]
    ) -> None:
        """Answer, give each channel's catch-up, and join; all in one step of the loop."""
        outbox = self._client.outbox
        assert outbox is not None, "it was accepted, and is not over"
        reply = replies.connected(
            number,
            self._client.name,
            version=build.VERSION,
            ping_seconds=int(settings.CARILLON_GATEWAY_PING_SECONDS),
            subscriptions={
                name: self._subscription(name, visitor.options(name), request.subs.get(name))
                for name in channels
            },
            lifetime=self._expiry.set(visitor.expire_at),
        )
        outbox.send_catch_up([reply])
        self._rules.connected()
        for name in channels:
            told = tells(name, visitor.options(name).override)
            self._channels.join(name, outbox, self._lose_place, join_leave=told)
            self._client.appear(name)
        self._client.start_heart()
        self._client.obey_late()

    def _subscription(
        self, channel: str, options: SubscriptionOptions, request: Subscribe | None
    ) -> str:
        result = result_of(channel, self._channels.result(channel), request)
        return result if options.data is None else replies.with_data(result, options.data)

    def _lose_place(self) -> None:
        # Its library has no other way back to a channel that was made for it.
        self._client.end(CloseCode.INSUFFICIENT_STATE)

    def _expire(self) -> None:
        self._client.end(CloseCode.EXPIRED)

    def _turn_away(self, number: int, error: Refused) -> None:
        self._client.refuse(number, "connect", error)
        self._client.end_untold(CloseCode.CONNECTION_CLOSED)


def _token_expired() -> Refused:
    return Refused(ErrorCode.TOKEN_EXPIRED, "token expired")

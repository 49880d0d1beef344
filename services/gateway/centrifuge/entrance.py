"""A client's first command: who it is, and what it hears without asking."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from services.gateway.arrivals import NoLongerActive, NotSubscribed
from services.gateway.centrifuge import replies
from services.gateway.centrifuge.channels import Channels
from services.gateway.centrifuge.commands import Connect
from services.gateway.centrifuge.connection import Connection, TurnedDown, try_again
from services.gateway.centrifuge.expiry import Expiry
from services.gateway.centrifuge.subscriptions import json_of, place_of, result_of, tells
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway
from shared.accounts.keys import digest_of
from shared.accounts.models import User
from shared.notifications.namespaces import ANNOUNCEMENTS, user_channel
from shared.presence.clients import account_of
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.realtime.namespaces import namespace_of
from shared.telemetry import build
from shared.tokens.exceptions import InvalidToken, TokenExpired
from shared.tokens.grants import ConnectionToken
from shared.tokens.verification import verify_connection

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.centrifuge.client import Client
    from services.gateway.runtime import Gateway

__all__ = ["Entrance"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Who wants in, and may.

    Attributes:
        user: the account.
        info: what others are told of the connection, as JSON text; None is nothing.
        session: what its session is known by, or that with which its token was got; "" is none.
        expire_at: until when, in seconds since 1970; None has no end.
        subs: channels that a token has it hear, beside those that are everybody's.
        granted: those of them for which the token is the permission.
        told: those of them where it wants to be told who comes and goes.
    """

    user: User
    info: str | None = None
    session: str = ""
    expire_at: float | None = None
    subs: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    told: Collection[str] = ()

    @property
    def channels(self) -> list[str]:
        """What it hears without having asked, each once."""
        return list(dict.fromkeys((user_channel(self.user.pk), ANNOUNCEMENTS, *self.subs)))


def token_of(text: str) -> ConnectionToken:
    """
    Return what a connection token says.

    Raises:
        TokenExpired: its time is over. TurnedDown: it is none.
    """
    try:
        return verify_connection(text, time.time())
    except InvalidToken as error:
        logger.info("A connection token was refused: %s", error.fault)
        raise TurnedDown(CloseCode.INVALID_TOKEN) from error


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

    async def enter(self, number: int, request: Connect) -> None:
        """Find out who it is, subscribe it to what is its own, and greet it; or turn it away."""
        try:
            visitor = await self._identify(request)
            if self._client.is_over:
                return
            # Before the database is asked whether the user is active: no revocation falls between.
            self._client.be(visitor.user, visitor.info, visitor.session)
            await self._channels.prepare(
                visitor.user,
                {name: place_of(request.subs.get(name), name) for name in visitor.channels},
                visitor.granted,
            )
        except TurnedDown as refusal:
            self._client.end(refusal.code)
        except TokenExpired:
            self._turn_away(number, Refused(ErrorCode.TOKEN_EXPIRED, "token expired"))
        except NoLongerActive:
            self._client.end(CloseCode.BANNED)
        except NotSubscribed:
            self._client.end(CloseCode.PERMISSION_DENIED)
        except DatabaseAway:
            self._turn_away(number, try_again())
        else:
            if not self._client.is_over:
                self._welcome(number, visitor, request)

    async def _identify(self, request: Connect) -> Visitor:
        """
        Find out who it is: by the token, or else by the session.

        Raises:
            TurnedDown, TokenExpired: nobody whom we know.
            DatabaseAway: accounts cannot be read now.
        """
        if request.token:
            return await self._holder(request.token)
        if self._session_key is None:
            raise TurnedDown(CloseCode.BAD_REQUEST)
        user = await self._gateway.arrivals.user(self._session_key)
        if user is None:
            raise TurnedDown(CloseCode.BAD_REQUEST)
        assert isinstance(user, User), "AUTH_USER_MODEL is our own"
        return Visitor(user, session=digest_of(self._session_key))

    async def _holder(self, text: str) -> Visitor:
        token = token_of(text)
        account = account_of(token.user)
        user = None if account is None else await self._gateway.arrivals.account(account)
        if user is None:
            raise TurnedDown(CloseCode.INVALID_TOKEN)
        assert isinstance(user, User), "AUTH_USER_MODEL is our own"
        for channel in token.subs:
            try:
                namespace_of(channel)
            except RealtimeError as error:
                raise TurnedDown(CloseCode.BAD_REQUEST) from error
        # What we have signed ourselves was permitted then, and may not be anymore.
        granted = () if token.issued_here else tuple(token.subs)
        return Visitor(
            user,
            info=json_of(token.info),
            session=str(token.meta.get("session", "")) if token.issued_here else "",
            expire_at=token.expire_at,
            subs=tuple(token.subs),
            granted=granted,
            told={name for name, options in token.subs.items() if tells(options.override)},
        )

    def renew(self, text: str, user: AbstractUser) -> int | None:
        """
        Let a client stay with a new token; return its seconds, None without an end.

        Raises:
            TokenExpired: it needs another one.
            TurnedDown: it is none, or somebody else's.
        """
        token = token_of(text)
        if token.user != str(user.pk):
            raise TurnedDown(CloseCode.INVALID_TOKEN)
        return self._expiry.set(token.expire_at)

    def refresh(self, expire_at: float | None) -> None:
        """Change until when the client may stay, and tell it."""
        self._client.say(replies.refresh(self._expiry.set(expire_at)))

    def close(self) -> None:
        """Let no time end anymore."""
        self._expiry.stop()

    def _welcome(self, number: int, visitor: Visitor, request: Connect) -> None:
        """Answer, give each channel's catch-up, and join; all in one step of the loop."""
        outbox = self._client.outbox
        assert outbox is not None, "it was accepted, and is not over"
        reply = replies.connected(
            number,
            self._client.name,
            version=build.VERSION,
            ping_seconds=int(settings.CARILLON_GATEWAY_PING_SECONDS),
            subscriptions={
                name: result_of(name, self._channels.result(name), request.subs.get(name))
                for name in visitor.channels
            },
            lifetime=self._expiry.set(visitor.expire_at),
        )
        outbox.send_catch_up([reply])
        self._rules.connected()
        for name in visitor.channels:
            self._rules.subscribe_server_side(name)
            told = name in visitor.told
            self._channels.join(name, outbox, self._lose_place, join_leave=told)
            self._client.appear(name)
        self._client.start_heart()

    def _lose_place(self) -> None:
        # Its library has no other way back to a channel that was made for it.
        self._client.end(CloseCode.INSUFFICIENT_STATE)

    def _expire(self) -> None:
        self._client.end(CloseCode.EXPIRED)

    def _turn_away(self, number: int, error: Refused) -> None:
        self._client.refuse(number, "connect", error)
        self._client.end_untold(CloseCode.CONNECTION_CLOSED)

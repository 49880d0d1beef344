"""Commands of a client that is in: what each asks of the database, and its reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.gateway.centrifuge import replies
from services.gateway.centrifuge.commands import (
    History,
    Presence,
    PresenceStats,
    Publish,
    Refresh,
    Request,
    Rpc,
    SubRefresh,
    Unsubscribe,
    method_of,
)
from services.gateway.centrifuge.entrance import Entrance
from services.gateway.centrifuge.steps import TurnedDown, try_again
from services.gateway.centrifuge.subscriptions import Subscriptions
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway
from services.gateway.presence import Crowd
from shared.accounts.commands import Suspended, call_as, saying_as
from shared.accounts.hearing import is_welcome, may_hear
from shared.presence.clients import ClientInfo
from shared.realtime import history as log
from shared.realtime.exceptions import (
    ErrorCode,
    RealtimeError,
    Refused,
    UnrecoverablePosition,
)
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import Position
from shared.realtime.prefixes import is_private
from shared.realtime.refusals import as_refusal
from shared.realtime.rpc import answer_text
from shared.telemetry import build, metrics
from shared.tokens.exceptions import TokenExpired

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.centrifuge.client import Client
    from services.gateway.runtime import Gateway

__all__ = ["MOST_BYTES", "Answers"]

logger = logging.getLogger(__name__)

# Of what one answer tells, as in a recovery.
MOST_BYTES = log.RECOVERY_BYTES


class Answers:
    """Answers one client's commands."""

    def __init__(
        self, client: Client, gateway: Gateway, subscriptions: Subscriptions, entrance: Entrance
    ) -> None:
        self._client = client
        self._gateway = gateway
        self._entrance = entrance
        self._subscriptions = subscriptions

    async def give(self, number: int, request: Request) -> None:
        """Do what a command asks for, and answer it whatever comes of that."""
        started = time.monotonic()
        method = method_of(request)
        try:
            answer = await self._result(number, request)
            self._client.say(answer, is_granted=isinstance(request, History))
        except RealtimeError as error:
            self._client.refuse(number, method, as_refusal(error))
            if isinstance(error, Suspended):
                self._client.end(CloseCode.BANNED)
        except TokenExpired:
            # Libraries take 109 for the end in both; after these they come with another token.
            if isinstance(request, Refresh):
                self._client.end(CloseCode.EXPIRED)
            else:
                expired = Refused(ErrorCode.TOKEN_EXPIRED, "token expired")
                self._client.refuse(number, method, expired, temporary=True)
        except TurnedDown as error:
            self._client.end(error.code)
        except DatabaseAway:
            self._client.refuse(number, method, try_again())
        except Exception:
            # A mistake in an app's hook costs its sender an answer, not the connection.
            logger.exception("A client's %s failed.", method)
            self._client.refuse(number, method, try_again())
        else:
            metrics.COMMAND_DURATION.labels(type=method).observe(time.monotonic() - started)

    async def _result(self, number: int, request: Request) -> str:
        """
        Return the reply to a command.

        Raises:
            RealtimeError, TokenExpired, DatabaseAway: there is none but that.
            TurnedDown: the connection ends instead.
        """
        user, database = self._client.user, self._gateway.database
        assert user is not None, "the rules let nobody in who has not connected"
        match request:
            case Publish():
                info = self._client.info_in(request.channel)
                await self._gateway.commits.publish(user, request.channel, request.data, info)
                return replies.done(number, "publish")
            case Unsubscribe():
                self._subscriptions.leave(request.channel)
                return replies.done(number, "unsubscribe")
            case History():
                is_granted = self._client.is_granted(request.channel)
                # Of what one reads, no more than one page is on its way.
                await self._client.wait_for_room()
                return await database.run(_history, number, user, request, is_granted)
            case Presence(channel=channel):
                is_granted = self._client.is_granted(channel)
                await database.run(_may_ask_presence, user, channel, is_granted)
                return replies.presence(number, await self._listed(channel))
            case PresenceStats(channel=channel):
                is_granted = self._client.is_granted(channel)
                await database.run(_may_ask_presence, user, channel, is_granted)
                clients, users = await self._gateway.presence.stats(channel)
                return replies.presence_stats(number, clients, users)
            case Refresh():
                lifetime = await self._entrance.renew(request.token, user)
                return replies.refreshed(
                    number, self._client.name, version=build.VERSION, lifetime=lifetime
                )
            case SubRefresh():
                lifetime = self._subscriptions.renew(request)
                return replies.sub_refreshed(number, lifetime=lifetime)
            case Rpc():
                return replies.returned(number, await self._called(user, request))
            case _:
                raise Refused(ErrorCode.NOT_AVAILABLE, "not available")

    async def _called(self, user: AbstractUser, asked: Rpc) -> str:
        """Do what `call_as` does, but store what many say at once as their publications."""
        said = saying_as(user, asked.method, asked.data)
        if said is None:
            return await self._gateway.database.write(call_as, user, asked.method, asked.data)
        outcome = await self._gateway.commits.publish(user, said.channel, said.data)
        return answer_text(asked.method, said.answer(outcome))

    async def _listed(self, channel: str) -> Mapping[str, ClientInfo]:
        """
        Return who is in a channel.

        Raises:
            Refused: they are too many, or what is told of them is too much.
            DatabaseAway: it cannot be read now.
        """
        try:
            members = await self._gateway.presence.members(channel)
        except Crowd:
            members = {}
            is_too_much = True
        else:
            texts = (text for info in members.values() for text in info if text is not None)
            is_too_much = sum(map(len, texts)) > MOST_BYTES
        if is_too_much:
            words = "too many clients to list: ask for presence_stats"
            raise Refused(ErrorCode.LIMIT_EXCEEDED, words)
        return members


def _history(number: int, user: AbstractUser, asked: History, is_granted: bool) -> str:
    """
    Return the reply with a page of a channel's log, for whom may hear it or has been let in.

    It is made here, in the thread: a page is large.

    Raises:
        Refused: nothing is kept of it, it is not for this user, or the position is of another life.
    """
    if not namespace_of(asked.channel).history_size:
        raise Refused(ErrorCode.NOT_AVAILABLE, "not available")
    _check_hears(user, asked.channel, is_granted)
    since = None if asked.since is None else Position(asked.since.epoch, asked.since.offset)
    try:
        page = log.history(
            asked.channel,
            since=since,
            limit=asked.limit,
            byte_limit=MOST_BYTES,
            reverse=asked.reverse,
        )
    except UnrecoverablePosition as error:
        words = "unrecoverable position"
        raise Refused(ErrorCode.UNRECOVERABLE_POSITION, words) from error
    return replies.history(number, page.publications, page.position)


def _may_ask_presence(user: AbstractUser, channel: str, is_granted: bool) -> None:
    if not namespace_of(channel).presence:
        raise Refused(ErrorCode.NOT_AVAILABLE, "not available")
    _check_hears(user, channel, is_granted)


def _check_hears(user: AbstractUser, channel: str, is_granted: bool) -> None:
    # Who hears a private channel was let in by a token, and the rules pass nobody else on.
    is_in = is_granted or is_private(channel)
    allowed = is_welcome(user) if is_in else may_hear(user, channel)
    if not allowed:
        raise Refused(ErrorCode.PERMISSION_DENIED, "permission denied")

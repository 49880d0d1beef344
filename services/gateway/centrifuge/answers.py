"""Commands of a client that is in: what each asks of the database, and its reply."""

from __future__ import annotations

import logging
import time
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
from services.gateway.centrifuge.connection import TurnedDown, as_refusal, try_again
from services.gateway.centrifuge.entrance import Entrance
from services.gateway.centrifuge.subscriptions import Subscriptions
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseAway
from shared.accounts.access import is_active
from shared.accounts.commands import Suspended, call_as
from shared.realtime import history as log
from shared.realtime.exceptions import (
    ErrorCode,
    RealtimeError,
    Refused,
    UnrecoverablePosition,
)
from shared.realtime.namespaces import namespace_of
from shared.realtime.positions import Position
from shared.telemetry import build, metrics
from shared.tokens.exceptions import TokenExpired

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from services.gateway.centrifuge.client import Client
    from services.gateway.runtime import Gateway

__all__ = ["Answers"]

logger = logging.getLogger(__name__)


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
            self._client.say(await self._result(number, request))
        except RealtimeError as error:
            self._client.refuse(number, method, as_refusal(error))
            if isinstance(error, Suspended):
                self._client.end(CloseCode.BANNED)
        except TokenExpired:
            expired = Refused(ErrorCode.TOKEN_EXPIRED, "token expired")
            self._client.refuse(number, method, expired)
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
                await self._gateway.commits.publish(user, request.channel, request.data)
                return replies.done(number, "publish")
            case Unsubscribe():
                self._subscriptions.leave(request.channel, at_once=True)
                return replies.done(number, "unsubscribe")
            case History():
                page = await database.run(_history, user, request)
                return replies.history(number, page.publications, page.position)
            case Presence(channel=channel):
                await database.run(_may_ask_presence, user, channel)
                members = await self._gateway.presence.members(channel)
                return replies.presence(number, members)
            case PresenceStats(channel=channel):
                await database.run(_may_ask_presence, user, channel)
                clients, users = await self._gateway.presence.stats(channel)
                return replies.presence_stats(number, clients, users)
            case Refresh():
                lifetime = self._entrance.renew(request.token, user)
                return replies.refreshed(
                    number, self._client.name, version=build.VERSION, lifetime=lifetime
                )
            case SubRefresh():
                lifetime = self._subscriptions.renew(request)
                return replies.sub_refreshed(number, lifetime=lifetime)
            case Rpc():
                data = await database.write(call_as, user, request.method, request.data)
                return replies.returned(number, data)
            case _:
                raise Refused(ErrorCode.NOT_AVAILABLE, "not available")


def _history(user: AbstractUser, asked: History) -> log.History:
    """
    Return a page of a channel's log, to whom may hear the channel.

    Raises:
        Refused: nothing is kept of it, it is not for this user, or the position is of another life.
    """
    namespace = namespace_of(asked.channel)
    if not namespace.history_size:
        raise Refused(ErrorCode.NOT_AVAILABLE, "not available")
    if not is_active(user) or not namespace.can_subscribe(user, asked.channel):
        raise Refused(ErrorCode.PERMISSION_DENIED, "permission denied")
    since = None if asked.since is None else Position(asked.since.epoch, asked.since.offset)
    try:
        return log.history(asked.channel, since=since, limit=asked.limit, reverse=asked.reverse)
    except UnrecoverablePosition as error:
        words = "unrecoverable position"
        raise Refused(ErrorCode.UNRECOVERABLE_POSITION, words) from error


def _may_ask_presence(user: AbstractUser, channel: str) -> None:
    namespace = namespace_of(channel)
    if not namespace.presence:
        raise Refused(ErrorCode.NOT_AVAILABLE, "not available")
    if not is_active(user) or not namespace.can_subscribe(user, channel):
        raise Refused(ErrorCode.PERMISSION_DENIED, "permission denied")

"""Arrivals: what connections need of the database before they are open, for many at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.auth.models import AbstractBaseUser

from services.gateway.batches import Batch
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseThreads
from services.gateway.recoveries import Recoveries, Recovery
from shared.accounts.hearing import id_of, may_hear_each, own_channels
from shared.accounts.logins import (
    Account,
    Ended,
    Login,
    accounts_among,
    ended_among,
    holders_of,
)
from shared.accounts.models import User
from shared.accounts.sessions import users_of
from shared.realtime.history import heads_of
from shared.realtime.positions import Position
from shared.realtime.streams import Head

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Arrival", "Arrivals", "LoginEnded", "NoLongerActive", "NotSubscribed", "Since"]

# What a connection is closed with whose login ends so.
_CODES = {Ended.ORIGIN: CloseCode.SIGNED_OUT, Ended.PASSWORD: CloseCode.FORCE_RECONNECT}

# Where a client stood in each channel it wants; None for "from now on".
type Since = Mapping[str, Position | None]


class NotSubscribed(Exception):
    """A channel that is not there or not for this user; which of both is not told."""


class NoLongerActive(NotSubscribed):
    """The account is suspended: it is for no channel."""


class LoginEnded(NotSubscribed):
    """
    What somebody came with has ended meanwhile: it is for no channel.

    Attributes:
        code: what a connection is closed with whose cookie that was.
    """

    def __init__(self, code: CloseCode) -> None:
        self.code = code


class Arrival(NamedTuple):
    """
    A user who wants to hear some channels.

    Attributes:
        user: who it is.
        since: the channels, and where it stood in each.
        granted: those of them for which a token is the permission; no namespace is asked.
        login: what the user comes with; None where it is known to last, or nothing ends it.
    """

    user: AbstractUser
    since: Since
    granted: Collection[str] = ()
    login: Login | None = None


class Arrivals:
    """Reads sessions, permissions and what was missed, with few statements for many connections."""

    def __init__(self, database: DatabaseThreads) -> None:
        self.database = database
        self._users = Batch[str, AbstractBaseUser | None](database, _users)
        self._accounts = Batch[int, AbstractBaseUser | None](database, _accounts)
        self._holders = Batch[int, AbstractBaseUser | None](database, _holders)
        self._own_channels = Batch["AbstractUser", list[str]](database, _own_channels)
        self._heads = Batch[Arrival, dict[str, Head | None]](database, _heads)
        self.recoveries = Recoveries(database)

    async def user(self, session_key: str) -> AbstractBaseUser | None:
        """
        Return the user who is signed in with a session.

        Raises:
            DatabaseAway: sessions cannot be read now.
        """
        return await self._users.ask(session_key)

    async def account(self, user_id: int) -> AbstractBaseUser | None:
        """
        Return the account of a verified token, active or not.

        Raises:
            DatabaseAway: accounts cannot be read now.
        """
        return await self._accounts.ask(user_id)

    async def holder(self, key: int) -> AbstractBaseUser | None:
        """
        Return whose an API key is that was not revoked, active or not.

        Raises:
            DatabaseAway: keys cannot be read now.
        """
        return await self._holders.ask(key)

    async def own_channels(self, user: AbstractUser) -> list[str]:
        """
        Return what a user hears without asking.

        Raises:
            DatabaseAway: namespaces that look it up cannot do that now.
        """
        return await self._own_channels.ask(user)

    async def recover(
        self,
        user: AbstractUser,
        since: Since,
        granted: Collection[str] = (),
        login: Login | None = None,
    ) -> dict[str, Recovery]:
        """
        Check that a user may hear channels, and read what was missed in each.

        Raises:
            NotSubscribed: the user may not hear one of them, is not active anymore, or what they
                came with has ended.
            DatabaseAway: the log cannot be read now.
        """
        heads = await self._heads.ask(Arrival(user, since, granted, login))
        return await self.recoveries.recover(since, heads)


def _users(session_keys: Sequence[str]) -> list[AbstractBaseUser | Exception | None]:
    found = users_of(session_keys)
    return [found.get(key) for key in session_keys]


def _accounts(user_ids: Sequence[int]) -> list[AbstractBaseUser | Exception | None]:
    # Each has an instance to itself: they are used in several threads.
    found = User.objects.in_bulk(set(user_ids))
    return [copy(found.get(user_id)) for user_id in user_ids]


def _holders(keys: Sequence[int]) -> list[AbstractBaseUser | Exception | None]:
    # As above.
    found = holders_of(set(keys))
    return [copy(found.get(key)) for key in keys]


def _own_channels(users: Sequence[AbstractUser]) -> list[list[str] | Exception]:
    return [own_channels(user) for user in users]


def _heads(arrivals: Sequence[Arrival]) -> list[dict[str, Head | None] | Exception]:
    # Each user was read before the connection could hear of a revocation.
    accounts = accounts_among({each.user.pk for each in arrivals if not each.user.is_anonymous})
    for arrival in arrivals:
        if (account := accounts.get(arrival.user.pk)) is not None:
            # The connection's own object, as it is what hooks are asked with later, too.
            account.renew(arrival.user)
    welcome = {"", *map(str, accounts)}
    may = _permissions(arrival for arrival in arrivals if id_of(arrival.user) in welcome)
    # And before it could hear of the end of what it came with.
    ended = _ended(arrivals, accounts)
    refusals = [
        (ended.get(index) or _refusal(arrival, may))
        if id_of(arrival.user) in welcome
        else NoLongerActive()
        for index, arrival in enumerate(arrivals)
    ]
    heads = heads_of(
        {
            channel
            for arrival, refusal in zip(arrivals, refusals, strict=True)
            if refusal is None
            for channel in arrival.since
        }
    )
    return [
        {channel: heads.get(channel) for channel in arrival.since} if refusal is None else refusal
        for arrival, refusal in zip(arrivals, refusals, strict=True)
    ]


def _ended(arrivals: Sequence[Arrival], accounts: Mapping[int, Account]) -> dict[int, LoginEnded]:
    """Return by index whose login has ended."""
    logins = {index: each.login for index, each in enumerate(arrivals) if each.login is not None}
    comers = [(arrivals[index].user.pk, login) for index, login in logins.items()]
    ended = zip(logins, ended_among(comers, accounts), strict=True)
    return {index: LoginEnded(_CODES[end]) for index, end in ended if end is not None}


# By user and channel; an exception where a namespace failed to say it.
type _Permissions = Mapping[tuple[str, str], bool | Exception]


def _permissions(arrivals: Iterable[Arrival]) -> _Permissions:
    asked = [
        (arrival.user, channel)
        for arrival in arrivals
        for channel in arrival.since
        if channel not in arrival.granted
    ]
    answers = may_hear_each(asked)
    return {
        (id_of(user), channel): answer
        for (user, channel), answer in zip(asked, answers, strict=True)
    }


def _refusal(arrival: Arrival, may: _Permissions) -> Exception | None:
    for channel in arrival.since:
        if channel in arrival.granted:
            continue
        answer = may[id_of(arrival.user), channel]
        if isinstance(answer, Exception):
            return answer
        if not answer:
            return NotSubscribed(channel)
    return None

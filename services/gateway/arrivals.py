"""Arrivals: what connections need of the database before they are open, for many at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.auth.models import AbstractBaseUser

from services.gateway.batches import Batch
from services.gateway.database import DatabaseThreads
from shared.accounts.access import active_among
from shared.accounts.models import User
from shared.accounts.sessions import users_of
from shared.realtime.exceptions import InvalidChannel, UnknownNamespace
from shared.realtime.history import Recovery, recover_many
from shared.realtime.namespaces import Namespace, namespace_of
from shared.realtime.positions import Position

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Arrival", "Arrivals", "NoLongerActive", "NotSubscribed", "Since"]

# Where a client stood in each channel it wants; None for "from now on".
type Since = Mapping[str, Position | None]


class NotSubscribed(Exception):
    """A channel that is not there or not for this user; which of both is not told."""


class NoLongerActive(NotSubscribed):
    """The account is suspended: it is for no channel."""


class Arrival(NamedTuple):
    """
    A user who wants to hear some channels.

    Attributes:
        user: who it is.
        since: the channels, and where it stood in each.
        granted: those of them for which a token is the permission; no namespace is asked.
    """

    user: AbstractUser
    since: Since
    granted: Collection[str] = ()


class Arrivals:
    """Reads sessions, permissions and what was missed, with few statements for many connections."""

    def __init__(self, database: DatabaseThreads) -> None:
        self.database = database
        self._users = Batch[str, AbstractBaseUser | None](database, _users)
        self._accounts = Batch[int, AbstractBaseUser | None](database, _accounts)
        self._recoveries = Batch[Arrival, dict[str, Recovery]](database, _recoveries)

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

    async def recover(
        self, user: AbstractUser, since: Since, granted: Collection[str] = ()
    ) -> dict[str, Recovery]:
        """
        Check that a user may hear channels, and read what was missed in each.

        Raises:
            NotSubscribed: the user may not hear one of them, or is not active anymore.
            DatabaseAway: the log cannot be read now.
        """
        return await self._recoveries.ask(Arrival(user, since, granted))


def _users(session_keys: Sequence[str]) -> list[AbstractBaseUser | Exception | None]:
    found = users_of(session_keys)
    return [found.get(key) for key in session_keys]


def _accounts(user_ids: Sequence[int]) -> list[AbstractBaseUser | Exception | None]:
    found = User.objects.in_bulk(set(user_ids))
    return [found.get(user_id) for user_id in user_ids]


def _recoveries(arrivals: Sequence[Arrival]) -> list[dict[str, Recovery] | Exception]:
    # The session's user was read before the connection could hear of a revocation.
    active = active_among({arrival.user.pk for arrival in arrivals})
    may = _permissions(arrival for arrival in arrivals if arrival.user.pk in active)
    refusals = [
        _refusal(arrival, may) if arrival.user.pk in active else NoLongerActive()
        for arrival in arrivals
    ]
    wanted = [
        (channel, position)
        for arrival, refusal in zip(arrivals, refusals, strict=True)
        if refusal is None
        for channel, position in arrival.since.items()
    ]
    recovered = iter(recover_many(wanted))
    return [
        {channel: next(recovered) for channel in arrival.since} if refusal is None else refusal
        for arrival, refusal in zip(arrivals, refusals, strict=True)
    ]


# By user and channel; an exception where a namespace failed to say it.
type _Permissions = Mapping[tuple[int, str], bool | Exception]


def _permissions(arrivals: Iterable[Arrival]) -> _Permissions:
    asked: dict[Namespace, list[tuple[AbstractUser, str]]] = {}
    found: dict[tuple[int, str], bool | Exception] = {}
    for arrival in arrivals:
        for channel in arrival.since:
            if channel in arrival.granted:
                continue
            try:
                asked.setdefault(namespace_of(channel), []).append((arrival.user, channel))
            except (InvalidChannel, UnknownNamespace) as error:
                found[arrival.user.pk, channel] = error
    for namespace, pairs in asked.items():
        answers = namespace.can_subscribe_each(pairs)
        for (user, channel), answer in zip(pairs, answers, strict=True):
            found[user.pk, channel] = answer
    return found


def _refusal(arrival: Arrival, may: _Permissions) -> Exception | None:
    for channel in arrival.since:
        if channel in arrival.granted:
            continue
        answer = may[arrival.user.pk, channel]
        if isinstance(answer, Exception):
            return answer
        if not answer:
            return NotSubscribed(channel)
    return None

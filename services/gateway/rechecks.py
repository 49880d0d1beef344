"""
Rechecks: what users may still hear, asked of the database for many at once.

Permission is asked when somebody subscribes. Where it may have been taken away since, it is asked
again for all that the user's connections hear, with the account as it is now.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from itertools import batched
from typing import TYPE_CHECKING, NamedTuple, Protocol

from django.db import DatabaseError, InterfaceError

from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseThreads
from shared.accounts.hearing import may_hear_each
from shared.accounts.models import User
from shared.realtime.controls import Control
from shared.realtime.exceptions import Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Revocable", "recheck"]

logger = logging.getLogger(__name__)

# Users in one question, so that it is answered in time whatever their namespaces ask.
_USERS_AT_ONCE = 50


class Revocable(Protocol):
    """What is needed of a connection."""

    @property
    def session_key(self) -> str:
        """The key of the session that it ends with; "" for none."""

    def end(self, code: CloseCode) -> None:
        """Close it, or refuse it while it is being opened; never wait, never raise."""

    def obey(self, control: Control) -> None:
        """Do what a server wants of it, if it is meant; never wait, never raise."""

    def permitted(self) -> Collection[str]:
        """Return the channels that it hears, or is about to, because its user may."""

    def lose(self, channel: str) -> None:
        """Hear a channel no longer, as its user may not; never wait, never raise."""

    def renew_user(self, user: AbstractUser) -> None:
        """Take its user as the database has them now."""


class _Standing(NamedTuple):
    """A user as the database has them, and which of some channels are not for them."""

    user: User
    lost: Collection[str]


async def recheck(
    database: DatabaseThreads,
    connections: Mapping[int | None, Collection[Revocable]],
    user_ids: Collection[int],
) -> None:
    """
    End what users have lost the permission for, and the connections of who is not active.

    Args:
        database: where it is asked.
        connections: of each user; changes meanwhile.
        user_ids: who.

    Raises:
        DatabaseAway: it was not answered for all of them.
    """
    for some in batched(user_ids, _USERS_AT_ONCE):
        asked = {
            user_id: sorted({c for one in connections.get(user_id, ()) for c in one.permitted()})
            for user_id in some
        }
        found = await database.run(_standings, asked)
        for user_id in some:
            there, standing = tuple(connections.get(user_id, ())), found.get(user_id)
            for connection in there:
                if standing is None:
                    connection.end(CloseCode.BANNED)
                    continue
                # Each has one to itself: they are used in several threads.
                connection.renew_user(copy(standing.user))
                for channel in standing.lost:
                    connection.lose(channel)
            if there and (standing is None or standing.lost):
                lost = "all" if standing is None else len(standing.lost)
                logger.info(
                    "User %d has lost %s of what %d connections hear.", user_id, lost, len(there)
                )


def _standings(asked: Mapping[int, Sequence[str]]) -> dict[int, _Standing]:
    users = User.objects.filter(is_active=True).in_bulk(asked)
    wanted = [(user, channel) for pk, user in users.items() for channel in asked[pk]]
    lost: dict[int, set[str]] = {pk: set() for pk in users}
    for (user, channel), answer in zip(wanted, _answers(wanted), strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, Refused):
            # A mistake in an app's hook takes nothing from anybody.
            logger.error("Permission for %s could not be asked again.", channel, exc_info=answer)
        elif isinstance(answer, Refused) or not answer:
            lost[user.pk].add(channel)
    # Who was deactivated after they were read has lost all, and is told why.
    losers = [pk for pk, channels in lost.items() if channels]
    active = User.objects.filter(pk__in=losers, is_active=True).values_list("pk", flat=True)
    gone = set(losers).difference(active)
    return {pk: _Standing(user, lost[pk]) for pk, user in users.items() if pk not in gone}


def _answers(wanted: Sequence[tuple[AbstractUser, str]]) -> list[bool | Exception]:
    try:
        return may_hear_each(wanted)
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        if len(wanted) == 1:
            return [error]
        # What is wrong with one of them must not be everybody's error.
        return [answer for one in wanted for answer in _answers([one])]

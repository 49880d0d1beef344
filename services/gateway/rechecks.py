"""
Rechecks: what users may still hear, asked of the database for many at once.

Permission is asked when somebody subscribes. Where it may have been taken away since, it is asked
again for all that the user's connections hear, with the account as it is now.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, NamedTuple, Protocol

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError

from services.gateway.centrifuge.visitors import nobody
from services.gateway.closecodes import CloseCode
from services.gateway.database import DatabaseThreads
from services.gateway.doubts import Question
from shared.accounts.access import active_among
from shared.accounts.hearing import may_hear_each
from shared.accounts.logins import Login
from shared.accounts.models import User
from shared.realtime.controls import Control
from shared.realtime.exceptions import Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Revocable", "recheck"]

logger = logging.getLogger(__name__)


class Revocable(Protocol):
    """What is needed of a connection."""

    @property
    def login(self) -> Login | None:
        """What it was opened with, and ends with; None ends with nothing."""

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
    """A user as the database has them, or nobody, and which of some channels are not for them."""

    user: AbstractUser
    lost: set[str]


async def recheck(
    database: DatabaseThreads,
    connections: Mapping[int | None, Collection[Revocable]],
    questions: Sequence[Question],
) -> None:
    """
    End what users have lost the permission for, and the connections of who is not active.

    Args:
        database: where it is asked.
        connections: of each user, None for nobody's; changes meanwhile.
        questions: what is asked; all of it is answered together, or nothing.

    Raises:
        DatabaseAway: it was not answered.
    """
    found = await database.run(_standings, questions)
    for user_id in dict.fromkeys(question.user for question in questions):
        there, standing = tuple(connections.get(user_id, ())), found.get(user_id)
        for connection in there:
            try:
                _tell(connection, standing)
            except Exception:
                # A mistake of ours leaves it nothing that is not for it, and the others theirs.
                logger.exception("A connection could not be told what its user has lost.")
                connection.end(CloseCode.FORCE_RECONNECT)
        if there and (standing is None or standing.lost):
            lost = "all" if standing is None else len(standing.lost)
            who = "Nobody" if user_id is None else f"User {user_id}"
            logger.info("%s has lost %s of what %d connections hear.", who, lost, len(there))


def _tell(connection: Revocable, standing: _Standing | None) -> None:
    if standing is None:
        connection.end(CloseCode.BANNED)
        return
    if not standing.user.is_anonymous:
        # Each has one to itself: they are used in several threads.
        connection.renew_user(copy(standing.user))
    # Only what it hears by permission: somebody else may have granted it what another one loses.
    for channel in standing.lost.intersection(connection.permitted()):
        connection.lose(channel)


def _standings(questions: Sequence[Question]) -> dict[int | None, _Standing]:
    """Return them by user; who has no account anymore, or none that is active, is left out."""
    ids = {question.user for question in questions if question.user is not None}
    users: dict[int | None, AbstractUser] = {None: nobody()}
    users.update(User.objects.filter(is_active=True).in_bulk(ids))
    wanted = [
        (question.user, question.channel)
        for question in questions
        if question.user in users and question.channel is not None
    ]
    lost: dict[int | None, set[str]] = {user_id: set() for user_id in users}
    answers = _answers([(users[user_id], channel) for user_id, channel in wanted])
    for (user_id, channel), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Exception) and not isinstance(answer, Refused):
            # A mistake in an app's hook takes nothing from anybody.
            logger.error("Permission for %s could not be asked again.", channel, exc_info=answer)
        elif isinstance(answer, Refused) or not answer:
            lost[user_id].add(channel)
    # Who was deactivated after they were read has lost all, and is told why.
    losers = {user_id for user_id in ids if lost.get(user_id)}
    gone = losers - active_among(losers) if losers else set()
    return {pk: _Standing(user, lost[pk]) for pk, user in users.items() if pk not in gone}


def _answers(wanted: Sequence[tuple[AbstractUser, str]]) -> list[bool | Exception]:
    failure: Exception
    try:
        return may_hear_each(wanted)
    except (DataError, IntegrityError) as error:
        failure = error
    except (DatabaseError, InterfaceError):
        # The next one would meet it, too.
        raise
    except Exception as error:
        failure = error
    if len(wanted) == 1:
        return [failure]
    # What is wrong with one of them must not be everybody's error.
    return [answer for one in wanted for answer in _answers([one])]

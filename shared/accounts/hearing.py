"""
Who hears a channel, or may, and speak in it: what its name says of that, and then its namespace.

Clients' commands come by here, so that no namespace is asked about users whom it does not expect,
and none answers with what its user object knew when the connection was opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

from shared.accounts.access import is_active
from shared.realtime.exceptions import InvalidChannel, UnknownNamespace
from shared.realtime.namespaces import (
    Namespace,
    named,
    names,
    namespace_for_clients,
    namespace_of,
)
from shared.realtime.prefixes import said_by_name

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["id_of", "is_welcome", "may_hear", "may_hear_each", "may_speak", "own_channels"]

# Where Django's backend keeps what a user may do, for as long as the object lives: a connection's
# lives for hours.
_REMEMBERED = ("_perm_cache", "_user_perm_cache", "_group_perm_cache")


def id_of(user: AbstractUser) -> str:
    """Return a user's id as text, as tokens and controls have it; "" is the anonymous one's."""
    return "" if user.is_anonymous else str(user.pk)


def is_welcome(user: AbstractUser) -> bool:
    """Say whether it is nobody, or somebody whose account is active at this moment."""
    return user.is_anonymous or is_active(user)


def may_hear(user: AbstractUser, channel: str) -> bool:
    """
    Say whether a user may hear a channel at this moment.

    Raises:
        InvalidChannel, UnknownNamespace: the channel has no rules.
    """
    namespace_of(channel)
    if not is_welcome(user):
        return False
    [answer] = may_hear_each([(user, channel)])
    if isinstance(answer, Exception):
        raise answer
    return answer


def may_hear_each(wanted: Sequence[tuple[AbstractUser, str]]) -> list[bool | Exception]:
    """
    Answer for many users, welcome ones, and their channels; an exception is that one's alone.

    Each namespace is asked once.
    """
    answers: dict[int, bool | Exception] = {}
    asked: dict[Namespace, list[int]] = {}
    for index, (user, channel) in enumerate(wanted):
        try:
            namespace = namespace_of(channel)
        except (InvalidChannel, UnknownNamespace) as error:
            answers[index] = error
            continue
        said = _said(namespace, user, channel)
        if said is None:
            asked.setdefault(namespace, []).append(index)
        else:
            answers[index] = said
    for namespace, indices in asked.items():
        pairs = [wanted[index] for index in indices]
        found = namespace.can_subscribe_each([(_forgetful(user), name) for user, name in pairs])
        answers |= zip(indices, found, strict=True)
    return [answers[index] for index in range(len(wanted))]


def may_speak(user: AbstractUser, channel: str) -> bool:
    """
    Say whether a user, a welcome one, may publish in a channel at this moment.

    Raises:
        InvalidChannel, UnknownNamespace: the channel has no rules.
    """
    namespace = namespace_of(channel)
    if _said(namespace, user, channel) is False:
        return False
    return namespace.can_publish(_forgetful(user), channel)


def own_channels(user: AbstractUser) -> list[str]:
    """
    Return what a user, a welcome one, hears without asking.

    Raises:
        InvalidChannel, UnknownNamespace: a namespace names a channel that is none for clients.
    """
    own: list[str] = []
    for name in names():
        namespace = named(name)
        if not user.is_anonymous or namespace.lets_anonymous_in:
            own += namespace.server_side_channels(_forgetful(user))
    for channel in own:
        namespace_for_clients(channel)
    return list(dict.fromkeys(own))


def _said(namespace: Namespace, user: AbstractUser, channel: str) -> bool | None:
    """Return what is known without the namespace's hooks; None is nothing."""
    if user.is_anonymous and not namespace.lets_anonymous_in:
        return False
    return said_by_name(namespace, channel, id_of(user))


def _forgetful(user: AbstractUser) -> AbstractUser:
    """Return a user who remembers no permissions; another object, as threads share the first."""
    if not any(name in user.__dict__ for name in _REMEMBERED):
        return user
    fresh = copy(user)
    for name in _REMEMBERED:
        fresh.__dict__.pop(name, None)
    return fresh

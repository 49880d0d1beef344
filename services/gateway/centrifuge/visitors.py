"""Who wants in, and may: what a connect command's credentials come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec
from django.contrib.auth.models import AnonymousUser

from shared.accounts.logins import Login
from shared.tokens.grants import SubscriptionOptions

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Visitor", "json_of", "nobody", "told_of"]

_PLAIN = SubscriptionOptions()


@dataclass(frozen=True, slots=True)
class Visitor:
    """
    Who wants in, and may.

    Attributes:
        user: the account, or nobody.
        info: what others are told of the connection, as JSON text; None is nothing.
        login: the session or the key that it ends with; None ends with nothing.
        expire_at: until when, in seconds since 1970; None has no end.
        subs: channels that a token has it hear, beside those that are everybody's, and how.
        granted: those of them for which the token is the permission.
    """

    user: AbstractUser
    info: str | None = None
    login: Login | None = None
    expire_at: float | None = None
    subs: Mapping[str, SubscriptionOptions] = field(default_factory=dict)
    granted: tuple[str, ...] = ()

    def options(self, channel: str) -> SubscriptionOptions:
        """Return how it hears a channel."""
        return self.subs.get(channel, _PLAIN)


def nobody() -> AbstractUser:
    """Return the user of clients that are nobody."""
    # Hooks say that they take accounts; those of namespaces that let nobody in never meet it.
    return cast("AbstractUser", AnonymousUser())


def told_of(user: AbstractUser) -> str | None:
    """Return what others are told of a connection, unless its token says that: whose it is."""
    return None if user.is_anonymous else json_of({"username": user.get_username()})


def json_of(value: object) -> str | None:
    """Return as text what is told of a client; None is nothing."""
    return None if value is None else msgspec.json.encode(value).decode()

"""What a good token grants. Pure: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "NO_ORIGIN",
    "ConnectionToken",
    "Origin",
    "Override",
    "SubscriptionOptions",
    "SubscriptionToken",
]


@dataclass(frozen=True, slots=True)
class Override:
    """What a token says of a subscription instead of its namespace; None leaves it to that."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_positioning: bool | None = None
    force_recovery: bool | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionOptions:
    """
    Attributes:
        info: what others are told of this member of the channel, any JSON; None is nothing.
        data: what the client is given with the reply, any JSON; None is nothing.
        override: instead of the namespace's rules.
    """

    info: Any = None
    data: Any = None
    override: Override = field(default_factory=Override)


@dataclass(frozen=True, slots=True)
class Origin:
    """
    What somebody has had a token of ours made with; when that ends, so does the token.

    Attributes:
        session_key: their session's key; "" for none.
        key: the API key's id; None for none.
    """

    session_key: str = field(default="", repr=False)
    key: int | None = None


NO_ORIGIN = Origin()


@dataclass(frozen=True, slots=True)
class ConnectionToken:
    """
    A connection token that was good when it was read.

    Attributes:
        user: who connects; "" is nobody in particular.
        expire_at: until when, in seconds since 1970; None has no end.
        info: what others are told of this client, any JSON; None is nothing.
        subs: the channels that it hears without asking.
        meta: what its writer notes, for the server alone.
        issued_here: whether this deployment made it.
        issued_at: when it was made, in seconds since 1970, if it says so.
        origin: with what it was got; another server's token says nothing of that.
    """

    user: str
    expire_at: int | None = None
    info: Any = None
    subs: Mapping[str, SubscriptionOptions] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    issued_here: bool = False
    issued_at: float | None = None
    origin: Origin = NO_ORIGIN


@dataclass(frozen=True, slots=True)
class SubscriptionToken:
    """
    A subscription token that was good when it was read.

    Attributes:
        user: whose it is; "" is nobody in particular.
        channel: what it lets them hear.
        client: the one connection that it is for; "" is any of theirs.
        expire_at: until when, in seconds since 1970; None has no end.
        options: how they hear it.
        issued_here: whether this deployment made it.
    """

    user: str
    channel: str
    client: str = ""
    expire_at: int | None = None
    options: SubscriptionOptions = field(default_factory=SubscriptionOptions)
    issued_here: bool = False

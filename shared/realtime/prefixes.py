"""
Channels whose names say who may hear them. Pure.

    $orders:7           private: whoever shows a subscription token
    support:chat#7,12   limited: the users with these ids
    $deals:x#7,12       both: private

A namespace has them where its class says so (`private_channels`, `user_limited_channels`), because
its hooks meet such names then. A prefix is a part of the name: `$orders:7` is not `orders:7`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.realtime.namespaces import Namespace

__all__ = ["is_private", "name_of", "said_by_name"]

_PRIVATE = "$"
_LIMITED = "#"


def is_private(channel: str) -> bool:
    """Say whether a subscription token is needed."""
    return channel.startswith(_PRIVATE)


def name_of(channel: str) -> str:
    """Return the namespace's name, which nobody has looked up."""
    return channel.removeprefix(_PRIVATE).partition(":")[0]


def said_by_name(namespace: Namespace, channel: str, user: str) -> bool | None:
    """
    Return whether a user may hear a channel, as far as its name says it; None leaves it open.

    Whether a private channel's token was shown is for the caller to know.

    Args:
        namespace: the channel's.
        channel: its name.
        user: the user's id as text; "" is nobody, whom no name lets in.
    """
    if is_private(channel):
        return None if namespace.private_channels else False
    _, limited, ids = channel.rpartition(_LIMITED)
    if not limited:
        return None
    return namespace.user_limited_channels and user in ids.split(",")

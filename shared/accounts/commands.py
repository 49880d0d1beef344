"""
What a client does in its user's name, by whatever protocol: who may, and what becomes of it.

The gateway calls these for its connections, and the test kit for its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.accounts.access import is_active
from shared.realtime import rpc
from shared.realtime.exceptions import ErrorCode, InvalidData, Refused
from shared.realtime.namespaces import Outcome, namespace_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Suspended", "call_as", "publish_as"]


class Suspended(Refused):
    """The user was active when the connection was opened, and is not anymore."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.PERMISSION_DENIED, "This account is suspended: ask an administrator."
        )


def publish_as(user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
    """
    Have the channel's namespace store and publish what a user says there.

    Raises:
        Suspended: the user is not active anymore. Refused: the namespace does not take it.
    """
    # Of the database, because the user object is as old as the connection. Here, so that no
    # namespace can forget it.
    if not is_active(user):
        raise Suspended
    namespace = namespace_of(channel)
    if not namespace.can_publish(user, channel):
        raise Refused(ErrorCode.PERMISSION_DENIED, "You may not publish here.")
    try:
        return namespace.on_publish(user, channel, data)
    except InvalidData as error:
        raise Refused(ErrorCode.BAD_REQUEST, str(error)) from error


def call_as(user: AbstractUser, method: str, data: Any) -> Any:
    """
    Call an app's method for a user; return what becomes JSON.

    Raises:
        Suspended: the user is not active anymore. Refused: see `rpc.call`.
    """
    if not is_active(user):
        raise Suspended
    return rpc.call(user, method, data)

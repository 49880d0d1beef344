"""
Remote procedure calls: a method of an app that a client calls over its connection.

An app declares them in its `rpc.py`:

    @rpc("chat.send")
    def send(user, data): ...

They are for what a channel cannot do: an answer of its own, or the same command sent twice with
one effect. Like a namespace's hooks they are synchronous and may use the ORM.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shared.realtime.exceptions import ErrorCode, Refused

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Method", "call", "rpc"]

type Method = Callable[["AbstractUser", Any], Any]

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_methods: dict[str, Method] = {}


def rpc[M: Method](name: str) -> Callable[[M], M]:
    """
    Declare a method.

    Args:
        name: `app.verb`, lower case. Two apps cannot share one.

    Raises:
        ValueError: the name is not one, or taken.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a method name: use app.verb.")

    def declare(method: M) -> M:
        if _methods.setdefault(name, method) is not method:
            raise ValueError(f"There are two methods {name!r}.")
        return method

    return declare


def call(user: AbstractUser, name: str, data: Any) -> Any:
    """
    Call a method for a user; returns what becomes JSON.

    Raises:
        Refused: there is none of this name, or none at all, or what it raised itself.
    """
    method = _methods.get(name)
    if method is None:
        code = ErrorCode.METHOD_NOT_FOUND if _methods else ErrorCode.NOT_AVAILABLE
        raise Refused(code, "method not found" if _methods else "not available")
    return method(user, data)

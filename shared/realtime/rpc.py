"""
Remote procedure calls: a method of an app that a client calls over its connection.

An app declares them in its `rpc.py`:

    @rpc("chat.send")
    def send(user, data): ...

They are for what a channel cannot do: an answer of its own, or the same command sent twice with
one effect. Like a namespace's hooks they are synchronous and may use the ORM. An answer is whatever
a publication's data may have in it, dates among it, but no NaN and no infinity.

A method that only says something in a channel is declared by what it says, so that what many say
at once is stored at once, as their publications are:

    @rpc_saying("chat.send")
    def send(data):
        return Saying("chat:" + data["room"], data, answer=lambda outcome: ...)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.namespaces import Outcome

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["Method", "Saying", "answer_text", "call", "rpc", "rpc_saying", "saying"]

type Method = Callable[["AbstractUser", Any], Any]


class Saying(NamedTuple):
    """
    What a call says.

    Attributes:
        channel: where.
        data: what, as a client would publish it there.
        answer: makes the call's answer of what became of it; without the ORM.
    """

    channel: str
    data: Mapping[str, Any]
    answer: Callable[[Outcome], Any]


@dataclass(frozen=True)
class _SayingMethod:
    say: Callable[[Any], Saying]


_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_methods: dict[str, Method | _SayingMethod] = {}


def rpc[M: Method](name: str) -> Callable[[M], M]:
    """
    Declare a method.

    Args:
        name: `app.verb`, lower case. Two apps cannot share one.

    Raises:
        ValueError: the name is not one, or taken.
    """

    def declare(method: M) -> M:
        _declare(name, method)
        return method

    return declare


def rpc_saying[S: Callable[[Any], Saying]](name: str) -> Callable[[S], S]:
    """
    Declare a method that says something in a channel, and nothing else.

    It gets the call's data and is not asked for whom: the channel's namespace is. It may not use
    the ORM, and raises `Refused` where the data are nothing that can be said.

    Args:
        name: as of `rpc`.

    Raises:
        ValueError: see there.
    """

    def declare(say: S) -> S:
        _declare(name, _SayingMethod(say))
        return say

    return declare


def saying(name: str, data: Any) -> Saying | None:
    """
    Return what a call says; None where its method does something else, or is not there.

    Raises:
        Refused: what the method raised.
    """
    method = _methods.get(name)
    return method.say(data) if isinstance(method, _SayingMethod) else None


def call(user: AbstractUser, name: str, data: Any) -> str:
    """
    Call a method for a user; return its answer as JSON text, the same for whoever asked.

    Raises:
        Refused: there is none of this name, or none at all, or what it raised itself.
        TypeError: its answer is nothing that JSON has.
    """
    method = _methods.get(name)
    if method is None:
        code = ErrorCode.METHOD_NOT_FOUND if _methods else ErrorCode.NOT_AVAILABLE
        raise Refused(code, "method not found" if _methods else "not available")
    assert not isinstance(method, _SayingMethod), "it is said, and not called"
    return answer_text(name, method(user, data))


def answer_text(name: str, answer: Any) -> str:
    """
    Return a method's answer as JSON text.

    Raises:
        TypeError: it is nothing that JSON has.
    """
    try:
        return _encode(answer)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} answers with what is no JSON: {error}") from error


def _declare(name: str, method: Method | _SayingMethod) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a method name: use app.verb.")
    if _methods.setdefault(name, method) is not method:
        raise ValueError(f"There are two methods {name!r}.")


def _encode(answer: Any) -> str:
    # As publications are encoded, but that JSON's own NaN, which is null there, is a mistake here.
    plain = msgspec.to_builtins(answer, str_keys=True)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half of a surrogate pair can be in a text, and in no frame.
    text.encode()
    return text

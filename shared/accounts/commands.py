"""
What a client does in its user's name, by whatever protocol: who may, and what becomes of it.

The gateway calls these for its connections, and the test kit for its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction

from shared.accounts.access import active_among
from shared.accounts.hearing import is_welcome, may_speak
from shared.presence.changes import text_of
from shared.presence.clients import ClientInfo
from shared.realtime import rpc
from shared.realtime.exceptions import ErrorCode, InvalidData, Refused
from shared.realtime.namespaces import (
    Namespace,
    Outcome,
    is_outcome,
    namespace_of,
    publishes_together,
)
from shared.realtime.speaking import speaking
from shared.realtime.transactions import retry_on_deadlock

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = [
    "MOST_TOGETHER",
    "NotTogether",
    "Suspended",
    "call_as",
    "goes_together",
    "publish_as",
    "publish_each_as",
    "saying_as",
]

# Publications in one transaction.
MOST_TOGETHER = 100


class Suspended(Refused):
    """The user was active when the connection was opened, and is not anymore."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.PERMISSION_DENIED, "This account is suspended: ask an administrator."
        )


class NotTogether(Exception):
    """Publications could not be stored as a set: none of them is, and each may be by itself."""


@retry_on_deadlock
def publish_as(
    user: AbstractUser, channel: str, data: Mapping[str, Any], client: ClientInfo | None = None
) -> Outcome:
    """
    Have the channel's namespace store and publish what a user says there.

    Args:
        user: who says it.
        channel: where.
        data: what.
        client: the connection over which it is said, which others are told of where nothing is
            kept of the channel (see `shared.realtime.speaking`).

    Raises:
        Suspended: the user is not active anymore. Refused: the namespace does not take it.
        TypeError: the namespace does not say what became of it; then nothing is stored.
    """
    # Of the database, because the user object is as old as the connection. Here, so that no
    # namespace can forget it.
    if not is_welcome(user):
        raise Suspended
    namespace = namespace_of(channel)
    if not may_speak(user, channel):
        raise _not_here()
    info = "" if client is None or namespace.history_size else text_of(client)
    try:
        # One transaction, so that what cannot be answered is not stored, and stored again whenever
        # its client tries again.
        with transaction.atomic(), speaking(channel, info):
            return _outcome(namespace, namespace.on_publish(user, channel, data))
    except InvalidData as error:
        raise Refused(ErrorCode.BAD_REQUEST, str(error)) from error


def goes_together(channel: str) -> bool:
    """Say whether what comes together to a channel is stored together, by `publish_each_as`."""
    namespace = namespace_of(channel)
    # What is not kept is told with the client that says it.
    return publishes_together(namespace) and namespace.history_size > 0


def publish_each_as(
    channel: str, wanted: Sequence[tuple[AbstractUser, Mapping[str, Any]]]
) -> list[Outcome | Refused]:
    """
    Do what `publish_as` does for many who speak in one channel, in one transaction.

    The answers stand in the order of what is wanted. There may be fewer, but one at least.

    Args:
        channel: where; one of which `goes_together` says so.
        wanted: users and data, `MOST_TOGETHER` at most.

    Raises:
        NotTogether: see there; its cause says why.
    """
    with transaction.atomic():
        try:
            return _publish_each(channel, wanted)
        except Exception as error:
            # Raised in the transaction, so that whatever was done in it is taken back.
            raise NotTogether from error


def call_as(user: AbstractUser, method: str, data: Any) -> str:
    """
    Call an app's method for a user; return its answer as JSON text.

    Raises:
        Suspended: the user is not active anymore.
        Refused: methods are for users, or see `rpc.call` and `publish_as`.
        TypeError: see there.
    """
    if (said := saying_as(user, method, data)) is not None:
        outcome = publish_as(user, said.channel, said.data)
        return rpc.answer_text(method, said.answer(outcome))
    if not is_welcome(user):
        raise Suspended
    return rpc.call(user, method, data)


def saying_as(user: AbstractUser, method: str, data: Any) -> rpc.Saying | None:
    """
    Return what a user's call would have published; None where it is for `call_as`.

    Raises:
        Refused: methods are for users, or see `rpc.saying`.
    """
    if user.is_anonymous:
        raise Refused(ErrorCode.PERMISSION_DENIED, "Sign in for this.")
    return rpc.saying(method, data)


def _publish_each(
    channel: str, wanted: Sequence[tuple[AbstractUser, Mapping[str, Any]]]
) -> list[Outcome | Refused]:
    namespace = namespace_of(channel)
    active = active_among({user.pk for user, _ in wanted if user.pk is not None})
    refused: list[Refused | None] = []
    for user, _ in wanted:
        if not user.is_anonymous and user.pk not in active:
            refused.append(Suspended())
        elif not may_speak(user, channel):
            refused.append(_not_here())
        else:
            refused.append(None)
    asked = [
        (user, channel, data)
        for (user, data), refusal in zip(wanted, refused, strict=True)
        if refusal is None
    ]
    results = iter(_stored_together(namespace, asked) if asked else [])
    answers: list[Outcome | Refused] = []
    for refusal in refused:
        answer = refusal or next(results, None)
        if answer is None:
            break
        answers.append(answer)
    return answers


def _stored_together(
    namespace: Namespace, asked: Sequence[tuple[AbstractUser, str, Mapping[str, Any]]]
) -> list[Outcome | Refused]:
    """
    Have a namespace store what it takes of several.

    Raises:
        TypeError: it does not say what became of them, so that they would be stored again.
    """
    answers = namespace.on_publish_each(asked)
    if not answers or len(answers) > len(asked):
        words = f"answers {len(answers or [])} of {len(asked)}: one at least, and each once"
        raise TypeError(f"on_publish_each of {namespace.name} {words}.")
    return [
        answer if isinstance(answer, Refused) else _outcome(namespace, answer, "_each")
        for answer in answers
    ]


def _outcome(namespace: Namespace, answer: object, each: str = "") -> Outcome:
    if is_outcome(answer):
        return answer
    words = "answers each with an Outcome or a Refused" if each else "returns an Outcome"
    shown = f"{answer!r:.200}"
    raise TypeError(f"on_publish{each} of {namespace.name} {words} of what it published: {shown}")


def _not_here() -> Refused:
    return Refused(ErrorCode.PERMISSION_DENIED, "You may not publish here.")

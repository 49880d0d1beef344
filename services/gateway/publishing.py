"""
Clients' publications: one is what the test kit shares with this service, many are its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction

from shared.accounts.access import active_among
from shared.accounts.commands import Suspended, publish_as
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.namespaces import Outcome, namespace_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["NotTogether", "Suspended", "publish_as", "publish_each_as"]


class NotTogether(Exception):
    """Publications could not be stored as a set: none of them is, and each may be by itself."""


def publish_each_as(
    channel: str, wanted: Sequence[tuple[AbstractUser, Mapping[str, Any]]]
) -> list[Outcome | Refused]:
    """
    Do what `publish_as` does for many who speak in one channel, in one transaction.

    The answers stand in the order of what is wanted. There may be fewer, but one at least.

    Raises:
        NotTogether: see there; its cause says why.
    """
    with transaction.atomic():
        try:
            return _publish_each(channel, wanted)
        except Exception as error:
            # Raised in the transaction, so that whatever was done in it is taken back.
            raise NotTogether from error


def _publish_each(
    channel: str, wanted: Sequence[tuple[AbstractUser, Mapping[str, Any]]]
) -> list[Outcome | Refused]:
    namespace = namespace_of(channel)
    active = active_among({user.pk for user, _ in wanted if user.pk is not None})
    refused: list[Refused | None] = []
    for user, _ in wanted:
        if user.pk not in active:
            refused.append(Suspended())
        elif not namespace.can_publish(user, channel):
            refused.append(Refused(ErrorCode.PERMISSION_DENIED, "You may not publish here."))
        else:
            refused.append(None)
    asked = [
        (user, channel, data)
        for (user, data), refusal in zip(wanted, refused, strict=True)
        if refusal is None
    ]
    stored = namespace.on_publish_each(asked) if asked else []
    assert len(stored) <= len(asked), "there is no answer without a question"
    assert stored or not asked, "one at least is answered"
    results = iter(stored)
    answers: list[Outcome | Refused] = []
    for refusal in refused:
        answer = refusal or next(results, None)
        if answer is None:
            break
        answers.append(answer)
    return answers

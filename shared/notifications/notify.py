"""
`notify`: tells people something, from any Django code.

    notify(post.author, NewComment, author=user.username, post_id=post.pk)
    notify(followers_of(user), NewPost, author=user.username, title=title, post_id=post.pk)

Notifications are stored and published in the caller's transaction: rolled back means never told.
Whoever is away finds them in the inbox. Inside a transaction call it after your own rows and
before your own `publish`: everybody takes users' locks first and other streams' last.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import QuerySet

from shared.accounts.models import User
from shared.notifications.delivery import RECIPIENTS, ChunkOutcome, deliver_chunk
from shared.notifications.exceptions import TooManyRecipients
from shared.notifications.kinds import Kind
from shared.telemetry import metrics

__all__ = ["anotify", "notify"]

logger = logging.getLogger(__name__)


def notify(
    recipients: User | Iterable[User] | QuerySet[User], kind: type[Kind], /, **context: Any
) -> ChunkOutcome:
    """
    Tell users something, each in their language, once however often they stand there.

    Args:
        recipients: a user, users, or a queryset of users; at most 1,000.
        kind: a registered kind.
        context: what its templates are rendered with.

    Raises:
        TooManyRecipients: make it a bulk job (`shared.bulk.actions`); nobody was told.
        TypeError: the recipients are no users, or the kind is no class.
    """
    if not (isinstance(kind, type) and issubclass(kind, Kind)):
        raise TypeError(f"notify takes a Kind class such as NewPost, not {kind!r}.")
    user_ids = _user_ids(recipients)
    if not user_ids:
        return ChunkOutcome(0, 0, 0, [])
    with transaction.atomic():
        outcome = deliver_chunk(kind, user_ids, context)
    metrics.NOTIFICATIONS_CREATED.labels(result="delivered").inc(outcome.delivered)
    metrics.NOTIFICATIONS_CREATED.labels(result="muted").inc(outcome.muted)
    metrics.NOTIFICATIONS_CREATED.labels(result="gone").inc(outcome.gone)
    metrics.NOTIFICATIONS_CREATED.labels(result="failed").inc(len(outcome.failed))
    if outcome.failed:
        words = "%d notifications of the kind %s could not be made: %s"
        logger.warning(words, len(outcome.failed), kind.key, outcome.failed[0].reason)
    return outcome


async def anotify(
    recipients: User | Iterable[User] | QuerySet[User], kind: type[Kind], /, **context: Any
) -> ChunkOutcome:
    """Do what `notify` does, from asynchronous code; in a transaction of its own."""
    return await sync_to_async(notify)(recipients, kind, **context)


def _user_ids(recipients: User | Iterable[User] | QuerySet[User]) -> list[int]:
    if isinstance(recipients, User):
        return [recipients.pk]
    found: Iterable[int]
    if isinstance(recipients, QuerySet):
        _refuse_others(recipients.model is User, recipients.model)
        found = recipients.values_list("pk", flat=True)
        if not recipients.query.is_sliced:
            # A join may name somebody many times.
            found = found.order_by().distinct()[: RECIPIENTS + 1]
    else:
        _refuse_others(isinstance(recipients, Iterable), recipients)
        found = (_user_id(user) for user in recipients)
    ids: set[int] = set()
    # Not more than it takes to see that they are too many.
    for user_id in found:
        ids.add(user_id)
        if len(ids) > RECIPIENTS:
            raise TooManyRecipients(RECIPIENTS)
    return sorted(ids)


def _user_id(user: object) -> int:
    _refuse_others(isinstance(user, User), user)
    assert isinstance(user, User), "as just asked"
    return user.pk


def _refuse_others(fits: bool, given: object) -> None:
    if not fits:
        raise TypeError(f"notify takes users or a queryset of users, not {given!r}.")

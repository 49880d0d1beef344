"""
Withdrawal: what notifications tell of something that is gone is taken out of them.

They are found by their address, so this is for kinds whose addresses nothing else makes. Rows stay
where they are, read or unread, so no count changes, and clients see it when they read the inbox
next. What bulk jobs have told stays as it was told: it may be in a million inboxes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

from django.utils import translation

from shared.accounts.models import User
from shared.notifications.kinds import Kind
from shared.notifications.models import Inbox, Notification

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

__all__ = ["withdraw"]


def withdraw(
    kind: type[Kind],
    urls: Collection[str],
    *,
    title: str | _StrPromise | None = None,
    leads_on: bool = True,
) -> None:
    """
    Empty the bodies of the notifications of a kind that lead to these addresses.

    The caller is in the transaction that takes away what they lead to, and publishes after this.

    Args:
        kind: as it was given to `notify`.
        urls: where they lead.
        title: what the title becomes, in each owner's language; None leaves it.
        leads_on: whether the address still leads somewhere; otherwise it goes, too.
    """
    told = Notification.objects.filter(job_id=None, kind=kind.key, url__in=urls)
    owners = set(told.values_list("user_id", flat=True))
    if not owners:
        return
    # As everybody does who changes notifications: their owners' locks first, in this order.
    locks = Inbox.objects.select_for_update().filter(user__in=owners).order_by("user")
    by_language: defaultdict[str, list[int]] = defaultdict(list)
    languages = dict(User.objects.filter(pk__in=owners).values_list("pk", "language"))
    for owner in locks.values_list("user_id", flat=True):
        by_language[languages.get(owner, "")].append(owner)
    for language, ids in by_language.items():
        values = {"body": ""} if leads_on else {"body": "", "url": ""}
        if title is not None:
            with translation.override(language or None):
                values["title"] = str(title)[: Notification.TITLE_CHARACTERS]
        told.filter(user__in=ids).update(**values)

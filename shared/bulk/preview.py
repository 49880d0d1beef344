"""What a job would say, before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from django.conf import settings
from django.db import transaction
from django.utils.functional import SimpleLazyObject

from shared.accounts.models import User
from shared.bulk.exceptions import Unspeakable
from shared.bulk.models import BulkJob
from shared.notifications.exceptions import NotificationsError
from shared.notifications.kinds import Kind, Text, kind_named

__all__ = ["Preview", "check_speakable", "preview_of"]


class Preview(NamedTuple):
    """
    A job's text for one reader.

    Attributes:
        text: as they would get it; None when it cannot be made.
        reason: why it cannot, as a sentence; empty when it can.
    """

    text: Text | None
    reason: str


def preview_of(job: BulkJob, reader: User) -> Preview:
    """Render a job's text for whoever looks at it, in their language and time zone."""
    if not job.kind:
        return Preview(None, "There is no text yet.")
    try:
        kind = kind_named(job.kind)
        return Preview(kind.render(reader, reader.language, reader.time_zone, job.context), "")
    except Exception as error:
        # A kind of a team's own may raise anything, and a list of jobs has to stand all the same.
        return Preview(None, _reason(error))


def check_speakable(kind: type[Kind], context: Mapping[str, Any]) -> None:
    """
    Refuse a text that can be made for nobody; one that depends on its recipient is not judged.

    Raises:
        Unspeakable: it failed without having looked at the recipient.
    """
    looked = False

    def look() -> NoReturn:
        nonlocal looked
        looked = True
        raise LookupError("whoever it is")

    try:
        # Whatever a kind asks of the database must not break the caller's transaction.
        with transaction.atomic():
            recipient = SimpleLazyObject(look)
            kind.render(recipient, settings.LANGUAGE_CODE, settings.TIME_ZONE, context)
    except Exception as error:
        if not looked:
            raise Unspeakable(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, NotificationsError):
        return str(error)
    return f"{type(error).__name__}: {error}"

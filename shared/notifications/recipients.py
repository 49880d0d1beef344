"""Who is told, and with which words: read in one query, rendered once where they are equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BooleanField, Exists, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.utils.functional import SimpleLazyObject

from shared.accounts.models import User
from shared.notifications.exceptions import RenderFailed
from shared.notifications.kinds import Kind, Text
from shared.notifications.models import Preference

__all__ = ["Failed", "Recipient", "Rendered", "read_recipients", "render"]

_REASON_CHARACTERS = 300


class Recipient(NamedTuple):
    """A user who can be told something."""

    user_id: int
    language: str
    time_zone: str
    # Whether they switched the kind's category off.
    muted: bool


class Failed(NamedTuple):
    """A recipient whose text could not be made, and why."""

    user_id: int
    reason: str


class Rendered(NamedTuple):
    """
    The texts of many recipients.

    Attributes:
        texts: the different ones.
        chosen: (user id, index of the text), in the order of the recipients.
        failed: those without a text.
    """

    texts: list[Text]
    chosen: list[tuple[int, int]]
    failed: list[Failed]


def read_recipients(user_ids: Sequence[int], category: str) -> list[Recipient]:
    """Return the active users among the ids, in ascending id, in one query."""
    off = Preference.objects.filter(user=OuterRef("pk"), category=category, enabled=False)
    rows = User.objects.filter(_among(user_ids), is_active=True).order_by("pk")
    return [Recipient(*row) for row in rows.values_list("pk", "language", "time_zone", Exists(off))]


def render(
    kind: type[Kind], recipients: Sequence[Recipient], context: Mapping[str, Any]
) -> Rendered:
    """
    Render a kind for each recipient.

    A text that did not look at its recipient is the same for all with the same language and time
    zone, and is rendered once for them. One that did is rendered for each of them.
    """
    rendered = Rendered([], [], [])
    groups: dict[tuple[str, str], list[int]] = {}
    for recipient in recipients:
        groups.setdefault((recipient.language, recipient.time_zone), []).append(recipient.user_id)
    for (language, zone), user_ids in groups.items():
        _render_group(kind, language, zone, user_ids, context, rendered)
    return rendered


def _among(user_ids: Sequence[int]) -> Q | RawSQL:
    if connection.vendor != "postgresql":
        return Q(pk__in=user_ids)
    # One array: an IN with a thousand parameters takes longer to write than to answer.
    ids = f"{{{','.join(map(str, user_ids))}}}"
    return RawSQL("accounts_user.id = ANY(%s::bigint[])", [ids], output_field=BooleanField())


class _People:
    """The users of a group, read all at once when the first text looks at its recipient."""

    def __init__(self, user_ids: Sequence[int]) -> None:
        self._user_ids = user_ids
        # None as long as no text has looked.
        self.read: dict[int, User] | None = None

    def person(self, user_id: int) -> SimpleLazyObject[User]:
        """Return a user who is read when somebody looks."""
        return SimpleLazyObject(lambda: self._load()[user_id])

    def is_gone(self, user_id: int) -> bool:
        """Whether a user was not there anymore when they were looked at."""
        return self.read is not None and user_id not in self.read

    def _load(self) -> dict[int, User]:
        if self.read is None:
            self.read = User.objects.in_bulk(list(self._user_ids))
        return self.read


def _render_group(
    kind: type[Kind],
    language: str,
    zone: str,
    user_ids: Sequence[int],
    context: Mapping[str, Any],
    rendered: Rendered,
) -> None:
    people = _People(user_ids)
    for user_id in user_ids:
        try:
            text = kind.render(people.person(user_id), language, zone, context)
        except RenderFailed as error:
            reason = str(error)[:_REASON_CHARACTERS]
            if people.read is None:
                rendered.failed.extend(Failed(each, reason) for each in user_ids)
                return
            # Who was deleted since the recipients were read is left out, and counts as gone.
            if not people.is_gone(user_id):
                rendered.failed.append(Failed(user_id, reason))
            continue
        rendered.texts.append(text)
        index = len(rendered.texts) - 1
        if people.read is None:
            rendered.chosen.extend((each, index) for each in user_ids)
            return
        rendered.chosen.append((user_id, index))

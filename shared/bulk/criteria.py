"""Criteria: a closed set of questions by which staff choose users."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import QuerySet

from shared.accounts.models import User
from shared.bulk.exceptions import InvalidRequest

__all__ = ["Criteria"]

_GROUP_CHARACTERS = 150


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """
    Active users for whom all that is asked holds; what is None is not asked.

    Times are aware; `after` includes the moment itself, `before` does not.
    """

    staff: bool | None = None
    language: str | None = None
    time_zone: str | None = None
    joined_after: datetime | None = None
    joined_before: datetime | None = None
    last_login_after: datetime | None = None
    last_login_before: datetime | None = None
    # True for those who never did, False for those who did.
    never_signed_in: bool | None = None
    # A group's name.
    group: str | None = None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Criteria:
        """
        Make criteria of JSON; times are ISO 8601, without an offset in UTC.

        Raises:
            InvalidRequest: the field `audience.<name>` is not known or its value makes no sense.
        """
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name not in _READERS:
                known = ", ".join(_READERS)
                raise InvalidRequest(
                    f"audience.{name}", f"There is no such criterion: use {known}."
                )
            if value is None:
                continue
            try:
                values[name] = _READERS[name](value)
            except (ValueError, OverflowError) as error:
                raise InvalidRequest(f"audience.{name}", str(error)) from None
        if not values:
            raise InvalidRequest("audience", 'Name a criterion, or use {"type": "all"}.')
        return cls(**values)

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Criteria:
        """Make criteria of what `as_data` has returned, though a group has gone meanwhile."""
        values: dict[str, Any] = {
            name: _moment(value) if name in _MOMENTS else value for name, value in data.items()
        }
        return cls(**values)

    def as_data(self) -> dict[str, Any]:
        """Return the JSON that `parse` takes, without what is not asked."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        }

    def users(self) -> QuerySet[User]:
        """Return the active users that are meant, in no order."""
        users = User.objects.filter(is_active=True)
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                users = users.filter(**{_LOOKUPS[field.name]: value})
        return users


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Write true or false.")  # noqa: TRY004 - a sentence for callers
    return value


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(
            "Write a date or a time, such as 2026-01-31 or 2026-01-31T12:00Z."
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _language(value: object) -> str:
    known = [code for code, _ in settings.LANGUAGES]
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"This language is not offered: use {', '.join(known)}.")
    return value


def _zone(value: object) -> str:
    if not isinstance(value, str) or value not in available_timezones():
        raise ValueError("There is no such time zone: write a name such as Europe/Berlin.")
    return value


def _group(value: object) -> str:
    # PostgreSQL would raise on a name with NUL in it.
    fits = isinstance(value, str) and len(value) <= _GROUP_CHARACTERS and "\0" not in value
    if not fits or not Group.objects.filter(name=value).exists():
        raise ValueError("There is no such group: write the name of one.")
    return str(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "staff": _flag,
    "language": _language,
    "time_zone": _zone,
    "joined_after": _moment,
    "joined_before": _moment,
    "last_login_after": _moment,
    "last_login_before": _moment,
    "never_signed_in": _flag,
    "group": _group,
}
_MOMENTS = {name for name, reader in _READERS.items() if reader is _moment}
_LOOKUPS: Mapping[str, str] = {
    "staff": "is_staff",
    "language": "language",
    "time_zone": "time_zone",
    "joined_after": "date_joined__gte",
    "joined_before": "date_joined__lt",
    "last_login_after": "last_login__gte",
    "last_login_before": "last_login__lt",
    "never_signed_in": "last_login__isnull",
    "group": "groups__name",
}

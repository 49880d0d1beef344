"""
Audiences: who is meant, as JSON of a request or a job's row, and as user ids in ascending order.

    {"type": "all"}
    {"type": "filter", "filter": <id of a saved filter>}
    {"type": "criteria", "staff": true, ...}        see `shared.bulk.criteria`
    {"type": "followers", "username": "alice"}
    {"type": "ids"}                                  listed by `do_add_recipients`

Only active users are meant. What an audience refers to by name is looked up once, when the job
starts (`pinned`); a filter that is changed afterwards changes nothing of the job.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db.models import QuerySet

from shared.accounts.exceptions import UnknownUser
from shared.accounts.models import User
from shared.accounts.queries import find_user, followers_of
from shared.bulk.criteria import Criteria
from shared.bulk.exceptions import InvalidRequest, UnknownFilter
from shared.bulk.models import Recipient, SavedFilter

__all__ = ["Audience", "Everybody", "Followers", "Listed", "Matching", "Saved", "parse_audience"]


class Audience(Protocol):
    """Who is meant."""

    def as_data(self) -> dict[str, Any]:
        """Return the JSON that `parse_audience` takes."""

    def pinned(self) -> Audience:
        """
        Return the same audience with what it names looked up.

        Raises:
            InvalidRequest: what it names is not there.
        """

    def page(self, job_id: int | None, after: int, limit: int) -> list[int]:
        """Return the next user ids, ascending: an index scan from where the last page ended."""

    def count(self, job_id: int | None) -> int:
        """Return how many are meant, exactly, at this moment."""


class _Users(Audience, ABC):
    """An audience that is a queryset of users."""

    @abstractmethod
    def users(self) -> QuerySet[User]: ...

    def pinned(self) -> Audience:
        return self

    def page(self, job_id: int | None, after: int, limit: int) -> list[int]:
        users = self.users().filter(pk__gt=after).order_by("pk")
        return list(users.values_list("pk", flat=True)[:limit])

    def count(self, job_id: int | None) -> int:
        return self.users().count()


@dataclass(frozen=True)
class Everybody(_Users):
    """All active users."""

    def as_data(self) -> dict[str, Any]:
        return {"type": "all"}

    def users(self) -> QuerySet[User]:
        return User.objects.filter(is_active=True)


@dataclass(frozen=True)
class Matching(_Users):
    """Those whom criteria choose."""

    criteria: Criteria

    def as_data(self) -> dict[str, Any]:
        return {"type": "criteria", **self.criteria.as_data()}

    def pinned(self) -> Audience:
        return Matching(Criteria.parse(self.criteria.as_data()))

    def users(self) -> QuerySet[User]:
        return self.criteria.users()


@dataclass(frozen=True)
class Saved(_Users):
    """Those whom a saved filter chooses."""

    filter_id: int
    # As they were when the job started; None before.
    criteria: Criteria | None = None

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"type": "filter", "filter": self.filter_id}
        return data if self.criteria is None else {**data, "criteria": self.criteria.as_data()}

    def pinned(self) -> Audience:
        return replace(self, criteria=self._criteria())

    def users(self) -> QuerySet[User]:
        return self._criteria().users()

    def _criteria(self) -> Criteria:
        if self.criteria is not None:
            return self.criteria
        found = SavedFilter.objects.filter(pk=self.filter_id).first()
        if found is None:
            raise InvalidRequest("audience.filter", str(UnknownFilter()))
        return Criteria.parse(found.criteria)


@dataclass(frozen=True)
class Followers(_Users):
    """The followers of a user."""

    username: str
    # Who had that name when the job started; None before.
    user_id: int | None = None

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"type": "followers", "username": self.username}
        return data if self.user_id is None else {**data, "user": self.user_id}

    def pinned(self) -> Audience:
        return replace(self, user_id=self._user().pk)

    def users(self) -> QuerySet[User]:
        return followers_of(self._user())

    def _user(self) -> User:
        if self.user_id is not None:
            # Deleted since: nobody follows them any more, and the audience is empty.
            return User.objects.filter(pk=self.user_id).first() or User(pk=self.user_id)
        try:
            return find_user(self.username)
        except UnknownUser as error:
            raise InvalidRequest("audience.username", str(error)) from error


@dataclass(frozen=True)
class Listed:
    """Those whose ids were given."""

    def as_data(self) -> dict[str, Any]:
        return {"type": "ids"}

    def pinned(self) -> Audience:
        return self

    def page(self, job_id: int | None, after: int, limit: int) -> list[int]:
        rows = Recipient.objects.filter(job_id=job_id, user_id__gt=after).order_by("user_id")
        return list(rows.values_list("user_id", flat=True)[:limit])

    def count(self, job_id: int | None) -> int:
        return Recipient.objects.filter(job_id=job_id).count() if job_id is not None else 0


def parse_audience(data: Mapping[str, Any], *, stored: bool = False) -> Audience:
    """
    Make an audience of JSON.

    Args:
        data: what somebody asked for, or a job's row has.
        stored: it is a job's, and may hold what was looked up when the job started.

    Raises:
        InvalidRequest: the field `audience` or `audience.<name>` cannot be taken.
    """
    rest = dict(data)
    pinned = {name: rest.pop(name, None) for name in ("criteria", "user")} if stored else {}
    read = Criteria.restore if stored else Criteria.parse
    match rest:
        case {"type": "all"} if len(rest) == 1:
            return Everybody()
        case {"type": "criteria", **criteria}:
            return Matching(read(criteria))
        case {"type": "filter", "filter": int(number)} if len(rest) == 2 and 0 < number < 2**63:
            found = pinned.get("criteria")
            return Saved(int(number), read(found) if found else None)
        case {"type": "followers", "username": str(name)} if len(rest) == 2:
            return Followers(name, pinned.get("user"))
        case {"type": "ids"} if len(rest) == 1:
            return Listed()
    raise InvalidRequest(
        "audience",
        'Write {"type": "all"}, {"type": "ids"}, {"type": "filter", "filter": 1}, '
        '{"type": "criteria", "staff": true} or {"type": "followers", "username": "alice"}.',
    )

"""
What each app keeps about a person: how it is handed out, and how it goes with the account.

An app declares one class in its `personal_data.py` and registers it there:

    @register
    class VoteData(PersonalData):
        key = "votes"

        def export(self, user):
            return list(Vote.objects.filter(user=user).values("poll", "choice"))

        def erase(self, user):
            do_erase_votes(user)
"""

from __future__ import annotations

from typing import Any

from shared.accounts.models import ApiKey, Follow, User

__all__ = ["AccountData", "PersonalData", "export_of", "register", "registered"]


class PersonalData:
    """
    One app's part of a person's data.

    Attributes:
        key: the part's name in the export; by habit the app's label.
        in_pieces: whether `erase` makes transactions of its own, because it may be very much;
            otherwise it is called in one.
    """

    key: str
    in_pieces: bool = False

    def export(self, user: User) -> Any:
        """Return what the app keeps about the user, as `DjangoJSONEncoder` takes it."""
        return {}

    def erase(self, user: User) -> None:
        """
        Delete it, or take out what tells of the user where others need the rest.

        The user is inactive by then and the row still there. It is called twice, the second time
        in the transaction that deletes the row, for what arrived meanwhile; and again after a
        deletion that was interrupted. It may find its work done.
        """


_registry: dict[str, PersonalData] = {}


def register[P: type[PersonalData]](cls: P) -> P:
    """
    Declare an app's part; usable as a class decorator.

    Raises:
        ValueError: two apps cannot share a key.
    """
    other = _registry.get(cls.key)
    if other is not None and type(other).__qualname__ != cls.__qualname__:
        raise ValueError(f"{cls.__qualname__} and {type(other).__qualname__} are both {cls.key!r}.")
    _registry[cls.key] = cls()
    return cls


def registered() -> list[PersonalData]:
    """Return the apps' parts, those first that build on others: chat before accounts."""
    return list(_registry.values())[::-1]


def export_of(user: User) -> dict[str, Any]:
    """Return all that is kept about a user, by part, as `DjangoJSONEncoder` takes it."""
    return {key: part.export(user) for key, part in _registry.items()}


@register
class AccountData(PersonalData):
    """The account, whom it follows, who follows it, and its API keys without their secrets."""

    key = "account"

    def export(self, user: User) -> Any:
        following = Follow.objects.filter(follower=user).order_by("id")
        followers = Follow.objects.filter(followed=user).order_by("id")
        return {
            "username": user.username,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "language": user.language,
            "time_zone": user.time_zone,
            "joined": user.date_joined.isoformat(),
            "last_sign_in": None if user.last_login is None else user.last_login.isoformat(),
            "staff": user.is_staff,
            "follows": list(following.values_list("followed__username", flat=True)),
            "followed_by": list(followers.values_list("follower__username", flat=True)),
            "api_keys": [
                {
                    "name": key.name,
                    "prefix": key.prefix,
                    "scopes": key.scopes,
                    "created": key.created_at.isoformat(),
                    "last_used": key.last_used_at and key.last_used_at.isoformat(),
                    "revoked": key.revoked_at and key.revoked_at.isoformat(),
                }
                for key in ApiKey.objects.filter(user=user)
            ],
        }

    # Nothing to erase here: follows and keys go with the user's row, in one statement each.

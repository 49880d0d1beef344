"""Reads of this app."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db.models import QuerySet

from shared.accounts.exceptions import UnknownUser
from shared.accounts.models import Follow, User

__all__ = ["find_user", "followed_by", "followers_of", "follows"]


def find_user(username: str) -> User:
    """
    Return the active user of exactly this name.

    Raises:
        UnknownUser: there is none; a banned or deactivated one counts as none.
    """
    # PostgreSQL would raise on a name with NUL or half of a surrogate pair in it.
    if not username.isprintable():
        raise UnknownUser
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise UnknownUser
    return user


def followers_of(user: AbstractUser) -> QuerySet[User]:
    """Return the active users who follow a user."""
    return User.objects.filter(following__followed=user.pk, is_active=True)


def followed_by(user: AbstractUser) -> QuerySet[User]:
    """Return the active users whom a user follows."""
    return User.objects.filter(followers__follower=user.pk, is_active=True)


def follows(user: AbstractUser, other: AbstractUser) -> bool:
    """Say whether a user follows another."""
    return Follow.objects.filter(follower=user.pk, followed=other.pk).exists()

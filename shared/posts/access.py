"""Who may read, say and delete what: the one place that decides it."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists

from shared.accounts.exceptions import Inactive
from shared.accounts.models import User
from shared.posts.models import Comment, Post

__all__ = ["actor_of", "may_delete_comment", "may_delete_post", "may_hear"]

_ID_DIGITS = 18


def actor_of(user: AbstractUser) -> User:
    """
    Return the user as the database has them now; a request's may be older than a ban.

    Raises:
        Inactive: they are deactivated, banned or gone.
    """
    actor = User.objects.filter(pk=user.pk, is_active=True).first()
    if actor is None:
        raise Inactive
    return actor


def may_hear(user: AbstractUser, topic: str) -> bool:
    """Say whether the user may hear of a post's comments: whoever is active may, of any post."""
    # As the pages write it, so that one post has one channel and never a second, `07`.
    written = topic.isascii() and topic.isdigit() and len(topic) <= _ID_DIGITS
    if not written or topic.startswith("0"):
        return False
    active = User.objects.filter(pk=user.pk, is_active=True)
    return Post.objects.filter(Exists(active), pk=int(topic)).exists()


def may_delete_post(user: User, post: Post) -> bool:
    """Say whether the user may delete a post: its author and staff may."""
    return user.is_active and (user.is_staff or post.author_id == user.pk)


def may_delete_comment(user: User, comment: Comment) -> bool:
    """Say whether the user may delete a comment: its author, the post's author and staff may."""
    return may_delete_post(user, comment.post) or (user.is_active and comment.author_id == user.pk)

"""Who may read, say and delete what: the one place that decides it."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists

from shared.accounts.access import active_among
from shared.accounts.exceptions import Inactive
from shared.accounts.models import User
from shared.posts.models import Comment, Post

__all__ = ["actor_of", "may_delete_comment", "may_delete_post", "may_hear", "may_hear_each"]

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
    post_id = _post_id(topic)
    if post_id is None:
        return False
    active = User.objects.filter(pk=user.pk, is_active=True)
    return Post.objects.filter(Exists(active), pk=post_id).exists()


def may_hear_each(wanted: Iterable[tuple[AbstractUser, str]]) -> list[bool]:
    """Say what `may_hear` says, for many users and topics in two queries; in their order."""
    asked = [(user.pk, _post_id(topic)) for user, topic in wanted]
    active = active_among({user_id for user_id, _ in asked if user_id})
    there = Post.objects.filter(pk__in={post_id for _, post_id in asked if post_id})
    posts = set(there.values_list("pk", flat=True))
    return [user_id in active and post_id in posts for user_id, post_id in asked]


def _post_id(topic: str) -> int | None:
    # As the pages write it, so that one post has one channel and never a second, `07`.
    written = topic.isascii() and topic.isdigit() and len(topic) <= _ID_DIGITS
    return int(topic) if written and not topic.startswith("0") else None


def may_delete_post(user: User, post: Post) -> bool:
    """Say whether the user may delete a post: its author and staff may."""
    return user.is_active and (user.is_staff or post.author_id == user.pk)


def may_delete_comment(user: User, comment: Comment) -> bool:
    """Say whether the user may delete a comment: its author, the post's author and staff may."""
    return may_delete_post(user, comment.post) or (user.is_active and comment.author_id == user.pk)

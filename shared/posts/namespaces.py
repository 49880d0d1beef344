"""`post:<id>`: the comments below a post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.posts.access import may_hear, may_hear_each
from shared.posts.models import Comment
from shared.realtime.namespaces import Namespace, register, topic_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["PostNamespace"]


@register
class PostNamespace(Namespace):
    """
    Comments are thin publications: the log refers to the row, and a deleted comment's text is
    nowhere any more.
    """

    name = "post"
    history_size = 200
    history_ttl = timedelta(days=30)

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        return may_hear(user, topic_of(channel))

    def can_subscribe_each(self, wanted: Sequence[tuple[AbstractUser, str]]) -> Sequence[bool]:
        return may_hear_each((user, topic_of(channel)) for user, channel in wanted)

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        comments = Comment.objects.filter(pk__in=refs).select_related("author")
        return {comment.pk: comment.as_data() for comment in comments}

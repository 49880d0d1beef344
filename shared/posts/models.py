"""Posts and the comments below them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["Comment", "Post", "channel_of"]


def channel_of(post_id: int) -> str:
    """Return the channel that carries what happens below a post."""
    return f"post:{post_id}"


class Post(models.Model):
    """What somebody wants their followers, and everybody who looks, to read."""

    TITLE_CHARACTERS = 120
    BODY_CHARACTERS = 20_000

    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="posts"
    )
    title = models.CharField(max_length=TITLE_CHARACTERS)
    body = models.TextField(max_length=BODY_CHARACTERS, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["author", "id"], name="posts_post_author_id")]

    def __str__(self) -> str:
        return self.title

    @property
    def channel(self) -> str:
        """The channel that carries what happens below this post."""
        return channel_of(self.pk)


class Comment(models.Model):
    """What somebody says about a post."""

    BODY_CHARACTERS = 4_000

    post = models.ForeignKey(
        Post, on_delete=models.CASCADE, db_index=False, related_name="comments"
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="comments"
    )
    body = models.TextField(max_length=BODY_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["post", "id"], name="posts_comment_post_id")]

    def __str__(self) -> str:
        return f"{self.author} on {self.post_id}: {self.body[:60]}"

    def as_data(self) -> dict[str, Any]:
        """Return what clients see of it."""
        return {
            "type": "comment",
            "id": self.pk,
            "post": self.post_id,
            "username": self.author.username,
            "body": self.body,
            "timestamp": self.created_at.isoformat(),
        }

"""What of this app is a user's own."""

from __future__ import annotations

from typing import Any

from shared.accounts.models import User
from shared.accounts.personal_data import PersonalData, register
from shared.posts.actions import do_erase_posts
from shared.posts.models import Comment, Post

__all__ = ["PostData"]


@register
class PostData(PersonalData):
    """Posts and comments."""

    key = "posts"
    in_pieces = True

    def export(self, user: User) -> Any:
        """Return posts and comments, the oldest first."""
        posts = Post.objects.filter(author=user).order_by("id")
        comments = Comment.objects.filter(author=user).order_by("id")
        return {
            "posts": [
                {
                    "id": post.pk,
                    "title": post.title,
                    "body": post.body,
                    "created": post.created_at.isoformat(),
                }
                for post in posts
            ],
            "comments": [
                {
                    "id": comment.pk,
                    "post": comment.post_id,
                    "body": comment.body,
                    "created": comment.created_at.isoformat(),
                }
                for comment in comments
            ],
        }

    def erase(self, user: User) -> None:
        """Delete them for all readers; a post takes what others said below it along."""
        do_erase_posts(user)

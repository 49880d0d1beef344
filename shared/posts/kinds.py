"""What people are told about posts."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from shared.notifications.kinds import Category, Kind, register_kind

__all__ = ["COMMENT_WITHDRAWN", "POST_WITHDRAWN", "NewComment", "NewPost"]

# What is left of what was told, when the post or the account of who commented is gone.
POST_WITHDRAWN = _("A post was deleted")
COMMENT_WITHDRAWN = _("New comment on your post")


@register_kind
class NewPost(Kind):
    """Somebody whom the recipient follows has posted; context: author, title, post_id."""

    key = "posts.new_post"
    category = Category("posts", _("Posts by people you follow"))
    # A user name may be long enough to leave the title no room.
    title = _("{{ author|truncatechars:50 }} posted: {{ title }}")
    url = "/posts/{{ post_id }}/"

    @classmethod
    def address_of(cls, post_id: int) -> str:
        """Return what `url` makes, which is how what was told of a post is found again."""
        return f"/posts/{post_id}/"


@register_kind
class NewComment(Kind):
    """
    Somebody commented on the recipient's post; context: author, post_id, comment_id.

    Not what they said: a comment that is deleted shall be nowhere any more.
    """

    key = "posts.new_comment"
    category = Category("comments", _("Comments on your posts"))
    title = _("New comment on your post from {{ author|truncatechars:50 }}")
    url = "/posts/{{ post_id }}/#comment-{{ comment_id }}"

    @classmethod
    def address_of(cls, post_id: int, comment_id: int) -> str:
        """Return what `url` makes, which is how what was told of a comment is found again."""
        return f"/posts/{post_id}/#comment-{comment_id}"

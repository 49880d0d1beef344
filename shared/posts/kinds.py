"""What people are told about posts."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from shared.notifications.kinds import Category, Kind, register_kind

__all__ = ["NewComment", "NewPost"]


@register_kind
class NewPost(Kind):
    """Somebody whom the recipient follows has posted; context: author, title, post_id."""

    key = "posts.new_post"
    category = Category("posts", _("Posts by people you follow"))
    # A user name may be long enough to leave the title no room.
    title = _("{{ author|truncatechars:50 }} posted: {{ title }}")
    url = "/posts/{{ post_id }}/"


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

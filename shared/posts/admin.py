from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from shared.posts.actions import do_delete_comment, do_delete_post
from shared.posts.exceptions import UnknownComment, UnknownPost
from shared.posts.models import Comment, Post
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    from shared.accounts.models import User

    _PostAdmin = admin.ModelAdmin[Post]
    _CommentAdmin = admin.ModelAdmin[Comment]
else:
    _PostAdmin = _CommentAdmin = admin.ModelAdmin


@admin.register(Post)
class PostAdmin(SystemWritten, _PostAdmin):
    """Read-only, but for deleting, which takes the comments along and tells the readers."""

    list_display = ("id", "title", "author", "created_at")
    list_select_related = ("author",)
    search_fields = ("title", "author__username")
    date_hierarchy = "created_at"
    actions = ("delete_posts",)

    @admin.action(description="Delete the selected posts for all readers")
    def delete_posts(self, request: HttpRequest, posts: QuerySet[Post]) -> None:
        user = request.user
        if TYPE_CHECKING:
            assert isinstance(user, User)
        for post_id in posts.values_list("pk", flat=True):
            try:
                do_delete_post(user, post_id)
            except UnknownPost:
                # Its author was quicker.
                continue
        self.message_user(request, "The posts are deleted for all readers.")


@admin.register(Comment)
class CommentAdmin(SystemWritten, _CommentAdmin):
    """Read-only, but for deleting, which redacts the log and tells the readers."""

    list_display = ("id", "post", "author", "body", "created_at")
    list_select_related = ("post", "author")
    search_fields = ("body", "author__username")
    date_hierarchy = "created_at"
    actions = ("delete_comments",)

    @admin.action(description="Delete the selected comments for all readers")
    def delete_comments(self, request: HttpRequest, comments: QuerySet[Comment]) -> None:
        user = request.user
        if TYPE_CHECKING:
            assert isinstance(user, User)
        for comment_id in comments.values_list("pk", flat=True):
            try:
                do_delete_comment(user, comment_id)
            except UnknownComment:
                continue
        self.message_user(request, "The comments are deleted for all readers.")

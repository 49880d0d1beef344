"""One post and what is said below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from services.web.budgets import Budget, Spent, spend_as
from services.web.pages.keyset import MAX_ID, before_of, cut
from services.web.pages.prose import ProseField
from services.web.requests import SignedInRequest, signed_in
from shared.accounts.exceptions import Inactive
from shared.posts.access import may_delete_comment, may_delete_post
from shared.posts.actions import do_comment, do_delete_comment, do_delete_post
from shared.posts.exceptions import (
    InvalidContent,
    NotAllowed,
    UnknownComment,
    UnknownPost,
)
from shared.posts.models import Comment, Post
from shared.posts.queries import PAGE_COMMENTS, comments_page, post_of, post_position

__all__ = ["post"]


class CommentForm(forms.Form):
    body = ProseField(rows=3, max_length=Comment.BODY_CHARACTERS, label="Your comment")


class DeleteForm(forms.Form):
    """What the delete buttons send: a comment's id, or none to delete the post."""

    comment = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)


class Row(NamedTuple):
    """A comment as this reader sees it."""

    comment: Comment
    may_delete: bool


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def post(request: SignedInRequest, post_id: int) -> HttpResponse:
    """The post with its comments; takes a comment, and deletes with `action=delete`."""
    try:
        if request.method != "POST":
            return _page(request, post_of(post_id), CommentForm())
        if request.POST.get("action") == "delete":
            return _delete(request, post_of(post_id))
        return _comment(request, post_of(post_id))
    except UnknownPost as error:
        raise Http404(str(error)) from error
    except (Inactive, NotAllowed) as error:
        raise PermissionDenied(str(error)) from error


def _comment(request: SignedInRequest, post: Post) -> HttpResponse:
    form = CommentForm(request.POST)
    if form.is_valid():
        try:
            spend_as(request.user, Budget.COMMENTS)
            comment = do_comment(request.user, post.pk, form.cleaned_data["body"])
        except InvalidContent as error:
            form.add_error(error.field, str(error))
        except Spent as error:
            form.add_error(None, str(error))
            return _page(request, post, form, status=429)
        else:
            return redirect(f"{reverse('post', args=[post.pk])}#comment-{comment.pk}")
    return _page(request, post, form, status=400 if form.errors else 200)


def _delete(request: SignedInRequest, post: Post) -> HttpResponse:
    form = DeleteForm(request.POST)
    if not form.is_valid():
        return _page(request, post, CommentForm(), status=400)
    comment_id = form.cleaned_data["comment"]
    if comment_id is None:
        do_delete_post(request.user, post.pk)
        messages.success(request, "The post is deleted.")
        return redirect("feed")
    try:
        do_delete_comment(request.user, comment_id)
    except UnknownComment as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "The comment is deleted.")
    return redirect(f"{reverse('post', args=[post.pk])}#comments")


def _page(
    request: SignedInRequest, post: Post, form: CommentForm, status: int = 200
) -> HttpResponse:
    before = before_of(request)
    # Before the comments: what is said in between is in the page and heard again, where the other
    # order would lose it.
    position = post_position(post)
    comments = comments_page(post, before, PAGE_COMMENTS + 1)
    newest_first, more = cut(comments[::-1], PAGE_COMMENTS)
    shown = newest_first[::-1]
    for comment in shown:
        # The same row: looked up once for all.
        comment.post = post
    context: dict[str, Any] = {
        "post": post,
        "rows": _rows(request, shown),
        "older": shown[0].pk if more else None,
        "newest_page": before is None,
        "form": form,
        "may_delete_post": may_delete_post(request.user, post),
        "post_data": {
            "id": post.pk,
            "channel": post.channel,
            "position": None if position is None else str(position),
            "moderates": may_delete_post(request.user, post),
        },
    }
    return render(request, "web/post.html", context, status=status)


def _rows(request: SignedInRequest, comments: Sequence[Comment]) -> list[Row]:
    return [Row(comment, may_delete_comment(request.user, comment)) for comment in comments]

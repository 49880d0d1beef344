"""The feed: what people have posted, and the form to post."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.budgets import Budget, Spent, spend_as
from services.web.context import page_data
from services.web.pages.keyset import before_of, cut
from services.web.pages.prose import ProseField
from services.web.requests import SignedInRequest, signed_in
from shared.accounts.exceptions import Inactive
from shared.posts.actions import do_create_post
from shared.posts.exceptions import InvalidContent
from shared.posts.models import Post
from shared.posts.queries import PAGE_POSTS, feed_page

__all__ = ["feed"]

_EVERYBODY = "everybody"


class PostForm(forms.Form):
    title = forms.CharField(
        max_length=Post.TITLE_CHARACTERS,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
    )
    body = ProseField(
        rows=4,
        required=False,
        max_length=Post.BODY_CHARACTERS,
        label="Text",
        help_text="Your followers hear of it at once.",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def feed(request: SignedInRequest) -> HttpResponse:
    """Posts of those whom the reader follows, or with `?tab=everybody` of all, and the form."""
    form = PostForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            spend_as(request.user, Budget.POSTS)
            post = do_create_post(request.user, **form.cleaned_data)
        except InvalidContent as error:
            form.add_error(error.field, str(error))
        except Inactive as error:
            raise PermissionDenied(str(error)) from error
        except Spent as error:
            form.add_error(None, str(error))
            return _page(request, form, status=429)
        else:
            return redirect("post", post.pk)
    return _page(request, form, status=400 if form.errors else 200)


def _page(request: SignedInRequest, form: PostForm, status: int) -> HttpResponse:
    # The page's hint at new posts goes on from there: before the posts.
    live = page_data(request)["page_data"]()
    everybody = request.GET.get("tab") == _EVERYBODY
    before = before_of(request)
    posts = feed_page(request.user, before, PAGE_POSTS + 1, followed_only=not everybody)
    shown, more = cut(posts, PAGE_POSTS)
    context: dict[str, Any] = {
        "page_data": live,
        "form": form,
        "posts": shown,
        "older": shown[-1].pk if more else None,
        "first_page": before is None,
        "tab": _EVERYBODY if everybody else "following",
    }
    return render(request, "web/feed.html", context, status=status)

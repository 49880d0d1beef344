"""A person: what they posted, and following them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.budgets import Budget, Spent, spend_as
from services.web.pages.keyset import before_of, cut
from services.web.requests import SignedInRequest, signed_in
from shared.accounts.actions import do_follow, do_unfollow
from shared.accounts.exceptions import CannotFollow, Inactive, UnknownUser
from shared.accounts.models import User
from shared.accounts.queries import follows
from shared.posts.queries import PAGE_POSTS, counts_of, person_of, posts_of

__all__ = ["profile"]


class FollowForm(forms.Form):
    action = forms.ChoiceField(choices=[("follow", "Follow"), ("unfollow", "Unfollow")])


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: SignedInRequest, username: str) -> HttpResponse:
    """A person's page; takes `action=follow` and `action=unfollow`."""
    try:
        person = person_of(username)
        if request.method != "POST":
            return _page(request, person)
        return _follow(request, person)
    except Inactive as error:
        raise PermissionDenied(str(error)) from error
    except UnknownUser as error:
        raise Http404(str(error)) from error


def _follow(request: SignedInRequest, person: User) -> HttpResponse:
    form = FollowForm(request.POST)
    if not form.is_valid():
        return _page(request, person, status=400)
    try:
        spend_as(request.user, Budget.FOLLOWS)
        if form.cleaned_data["action"] == "follow":
            do_follow(request.user, person.username)
            done = f"You follow {person.username} now, and hear of what they post."
        else:
            do_unfollow(request.user, person.username)
            done = f"You no longer follow {person.username}."
    except (CannotFollow, Spent, UnknownUser) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect("profile", person.username)


def _page(request: SignedInRequest, person: User, status: int = 200) -> HttpResponse:
    before = before_of(request)
    shown, more = cut(posts_of(person, before, PAGE_POSTS + 1), PAGE_POSTS)
    context: dict[str, Any] = {
        "person": person,
        "counts": counts_of(person),
        "is_reader": person.pk == request.user.pk,
        "followed": follows(request.user, person),
        "posts": shown,
        "older": shown[-1].pk if more else None,
        "first_page": before is None,
    }
    return render(request, "web/profile.html", context, status=status)

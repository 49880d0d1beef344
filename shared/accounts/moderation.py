"""The admin's pages for bans and deactivation: one page asks, for one user or for several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from shared.accounts.actions import (
    REASON_CHARACTERS,
    do_ban,
    do_deactivate,
    do_reactivate,
    do_unban,
)
from shared.accounts.exceptions import AccountsError
from shared.accounts.models import User

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[User]
else:
    _ModelAdmin = object

__all__ = ["Moderation"]

_USERS_AT_ONCE = 100


class Measure(NamedTuple):
    """
    Something that staff do to accounts.

    Attributes:
        words: what the button says.
        effect: what the page says it does.
        act: does it, to one user.
        asks: whether it needs a reason.
        closes: whether it is for active accounts, or for those that are not.
    """

    words: str
    effect: str
    act: Callable[..., None]
    asks: bool = False
    closes: bool = False


MEASURES = {
    "ban": Measure(
        "Ban…",
        "Banned users cannot sign in, connect or write, and their open connections close at once."
        " Who signs in with the right password is told the reason.",
        do_ban,
        asks=True,
        closes=True,
    ),
    "unban": Measure("Lift ban", "The account is active again.", do_unban),
    "deactivate": Measure(
        "Deactivate",
        "The account cannot be used, and its open connections close at once. Nothing is deleted.",
        do_deactivate,
        closes=True,
    ),
    "reactivate": Measure(
        "Reactivate", "The account is active again; a ban ends with it.", do_reactivate
    ),
}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=REASON_CHARACTERS,
        help_text="One sentence; the user reads it at the next sign-in.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autofocus": True, "dir": "auto"}),
    )


class Moderation(_ModelAdmin):
    """Gives a user admin the four measures as buttons and as actions. A mixin before UserAdmin."""

    actions = ("ban", "unban", "deactivate", "reactivate")

    def get_urls(self) -> list[URLPattern]:
        mine = [
            path(
                f"{name}/",
                self.admin_site.admin_view(partial(self.moderate, name)),
                name=f"accounts_user_{name}",
            )
            for name in MEASURES
        ]
        return [*mine, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        user = kwargs.get("obj")
        if user is not None and self.has_change_permission(request, user):
            context["measures"] = [
                (measure.words, _address(name, [user.pk]))
                for name, measure in MEASURES.items()
                if measure.closes == user.is_active and (name != "unban" or user.banned_at)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def moderate(self, name: str, request: HttpRequest) -> HttpResponse:
        """Ask, and then do it: to the users whose ids stand in the address."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        measure = MEASURES[name]
        users = _users(request)
        form_class = ReasonForm if measure.asks else forms.Form
        form = form_class(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            self._apply(request, measure, users, form.cleaned_data)
            if len(users) == 1:
                return redirect("admin:accounts_user_change", users[0].pk)
            return redirect("admin:accounts_user_changelist")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": measure.words,
            "measure": measure,
            "users": users,
            "form": form,
        }
        return TemplateResponse(request, "admin/accounts/user/moderate.html", context)

    @admin.action(description=MEASURES["ban"].words, permissions=["change"])
    def ban(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        return self._ask("ban", request, users)

    @admin.action(description=MEASURES["unban"].words, permissions=["change"])
    def unban(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        return self._ask("unban", request, users)

    @admin.action(description=MEASURES["deactivate"].words, permissions=["change"])
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        return self._ask("deactivate", request, users)

    @admin.action(description=MEASURES["reactivate"].words, permissions=["change"])
    def reactivate(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        return self._ask("reactivate", request, users)

    def _ask(self, name: str, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        ids = list(users.order_by("pk").values_list("pk", flat=True)[: _USERS_AT_ONCE + 1])
        if len(ids) > _USERS_AT_ONCE:
            words = f"Choose at most {_USERS_AT_ONCE} users at once."
            self.message_user(request, words, messages.ERROR)
            return None
        return redirect(_address(name, ids))

    def _apply(
        self, request: HttpRequest, measure: Measure, users: list[User], values: dict[str, Any]
    ) -> None:
        done = []
        for user in users:
            try:
                measure.act(request.user, user, **values)
            except AccountsError as error:
                self.message_user(request, f"{user}: {error}", messages.ERROR)
            else:
                self.log_change(request, user, measure.words.rstrip("…"))
                done.append(user.username)
        if done:
            self.message_user(request, f"{measure.words.rstrip('…')}: {', '.join(done)}.")


def _address(name: str, ids: list[int]) -> str:
    query = urlencode({"ids": ",".join(map(str, ids))}, safe=",")
    return f"{reverse(f'admin:accounts_user_{name}')}?{query}"


def _users(request: HttpRequest) -> list[User]:
    parts = request.GET.get("ids", "").split(",", _USERS_AT_ONCE)
    # ASCII first: isdigit() alone takes digits of every script; the length bounds the number.
    ids = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= 18]
    users = list(User.objects.filter(pk__in=ids[:_USERS_AT_ONCE]).order_by("username"))
    if not users:
        raise Http404("None of these users is there.")
    return users

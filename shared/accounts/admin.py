from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from shared.accounts.access import check_key, namespaces_for_keys
from shared.accounts.actions import do_delete_user, do_make_key, do_revoke_key
from shared.accounts.exceptions import AccountsError, InvalidKey
from shared.accounts.keys import Scope
from shared.accounts.models import ApiKey, Follow, User
from shared.accounts.moderation import Moderation
from shared.realtime.admin import SystemWritten

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
    _FollowAdmin = admin.ModelAdmin[Follow]
    _ApiKeyAdmin = admin.ModelAdmin[ApiKey]
    _ApiKeyForm = forms.ModelForm[ApiKey]
else:
    _UserAdmin = UserAdmin
    _FollowAdmin = _ApiKeyAdmin = admin.ModelAdmin
    _ApiKeyForm = forms.ModelForm


@admin.register(User)
class CarillonUserAdmin(Moderation, _UserAdmin):
    """Whether an account is active is not a field: the buttons and actions change it."""

    list_display = ("username", "email", "is_active", "is_staff", "banned_at", "date_joined")
    list_filter = (
        "is_active",
        ("banned_at", admin.EmptyFieldListFilter),
        "is_staff",
        "is_superuser",
        "language",
        "groups",
    )
    date_hierarchy = "date_joined"
    readonly_fields = ("is_active", "banned_at", "ban_reason", "banned_by")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Language and time", {"fields": ("language", "time_zone")}),
        ("Ban", {"fields": ("banned_at", "ban_reason", "banned_by")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not self._is_kept(request, obj))

    def get_deleted_objects(
        self, objs: QuerySet[User] | Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """List the users alone: each app knows best what it erases, and it may be very much."""
        users = list(objs)
        kept = [
            f"{user}: your own or a superuser's" for user in users if self._is_kept(request, user)
        ]
        return [str(user) for user in users], {"users": len(users)}, set(), kept

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        # After the transaction that Django's page runs in: it would hold the locks of all apps.
        transaction.on_commit(lambda: do_delete_user(obj))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            do_delete_user(user)

    def _is_kept(self, request: HttpRequest, user: User) -> bool:
        actor = request.user
        foreign = user.is_superuser and not actor.is_superuser
        return foreign or user.pk == actor.pk


@admin.register(Follow)
class FollowAdmin(SystemWritten, _FollowAdmin):
    list_display = ("follower", "followed", "created_at")
    list_select_related = ("follower", "followed")
    search_fields = ("follower__username", "followed__username")
    date_hierarchy = "created_at"


class ApiKeyForm(_ApiKeyForm):
    """What a new key needs; what the action would refuse is an error of a field."""

    # Who makes it; the admin sets it for each request.
    actor: User

    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        help_text="What requests with this key may do in the user's name.",
    )
    namespaces = forms.MultipleChoiceField(
        choices=lambda: [(name, name) for name in namespaces_for_keys()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Which channels its server:… scopes reach. None chosen: all of them.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "user", "scopes", "namespaces")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                check_key(self.actor, **cleaned)
            except InvalidKey as error:
                self.add_error(error.field, str(error))
            except AccountsError as error:
                self.add_error(None, str(error))
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(_ApiKeyAdmin):
    """Keys are made and revoked here, and never changed."""

    form = ApiKeyForm
    autocomplete_fields = ("user",)
    list_display = (
        "name",
        "prefix",
        "user",
        "scope_list",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    date_hierarchy = "created_at"
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ["name", "user", "scopes", "namespaces"]
        return [*self.list_display, "namespace_list", "created_by"]

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm[ApiKey]]:
        form = super().get_form(request, obj, change, **kwargs)
        # Made for this request alone, so that it can carry who makes the key.
        form.actor = request.user  # type: ignore[attr-defined]
        return form

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        # A revoked key stays, so that it can be told whose requests were in its name.
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, text = do_make_key(form.actor, **form.cleaned_data)
        # For the answer to this very request; it goes nowhere else.
        obj.__dict__.update(key.__dict__, _text=text)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        # Not a message after a redirect: those travel in a cookie.
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Copy the new key now",
            "key": obj,
            "text": obj.__dict__.pop("_text"),
        }
        return TemplateResponse(request, "admin/accounts/apikey/made.html", context)

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        actor = request.user
        if TYPE_CHECKING:
            assert isinstance(actor, User)
        count = 0
        for key in keys.filter(revoked_at=None):
            do_revoke_key(actor, key)
            self.log_change(request, key, "Revoked.")
            count += 1
        self.message_user(request, f"Revoked: {count}.")

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="namespaces")
    def namespace_list(self, key: ApiKey) -> str:
        return ", ".join(key.namespaces) or "all"

"""A person's account: making one, its settings, what is kept with it, and its end."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.forms import UserCreationForm
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from services.web.requests import SignedInRequest, signed_in
from shared.accounts.actions import do_delete_user
from shared.accounts.models import User, languages
from shared.accounts.personal_data import export_of

if TYPE_CHECKING:
    _UserCreationForm = UserCreationForm[User]
    _UserForm = forms.ModelForm[User]
else:
    _UserCreationForm = UserCreationForm
    _UserForm = forms.ModelForm

__all__ = ["account_data", "account_settings", "delete_account", "sign_up"]


class SignUpForm(_UserCreationForm):
    class Meta:
        model = User
        fields = ("username",)


class SettingsForm(_UserForm):
    language = forms.ChoiceField(choices=languages)
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(zoneinfo.available_timezones())],
        help_text="For the times that the server writes, such as those in the list of rooms.",
    )

    class Meta:
        model = User
        fields = ("language", "time_zone")


class DeletionForm(forms.Form):
    """Asks for the password, so that a browser left open is not enough."""

    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="So that nobody else does this on your computer.",
    )

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError("This is not your password: try again.", code="wrong")
        return password


@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make an account and sign its owner in."""
    if request.user.is_authenticated:
        return redirect("rooms")
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                user = form.save()
        except IntegrityError:
            # Somebody took the name after the form had looked.
            form.add_error("username", "This name is taken: choose another one.")
        else:
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            return redirect("rooms")
    return _form_page(request, "web/sign_up.html", form)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account_settings(request: SignedInRequest) -> HttpResponse:
    """Language and time zone."""
    form = SettingsForm(request.POST if request.method == "POST" else None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your settings are saved.")
        return redirect("account-settings")
    return _form_page(request, "web/account_settings.html", form)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account_data(request: SignedInRequest) -> HttpResponse:
    """All that is kept about the reader, as a JSON file to download."""
    response = JsonResponse(export_of(request.user), json_dumps_params={"indent": 2})
    response.headers["Content-Disposition"] = 'attachment; filename="carillon-data.json"'
    return response


@signed_in
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_account(request: SignedInRequest) -> HttpResponse:
    """What deleting the account means, and the form to do it."""
    form = DeletionForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        do_delete_user(request.user)
        logout(request)
        messages.success(request, "Your account is deleted.")
        return redirect("sign-in")
    return _form_page(request, "web/delete_account.html", form)


def _form_page(request: HttpRequest, template: str, form: forms.BaseForm) -> HttpResponse:
    return render(request, template, {"form": form}, status=400 if form.errors else 200)

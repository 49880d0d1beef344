"""A person's account: making one, and its settings."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from services.web.requests import SignedInRequest, signed_in
from shared.accounts.models import User

if TYPE_CHECKING:
    _UserCreationForm = UserCreationForm[User]
    _UserForm = forms.ModelForm[User]
else:
    _UserCreationForm = UserCreationForm
    _UserForm = forms.ModelForm

__all__ = ["account_settings", "sign_up"]


class SignUpForm(_UserCreationForm):
    class Meta:
        model = User
        fields = ("username",)


class SettingsForm(_UserForm):
    language = forms.ChoiceField(choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(zoneinfo.available_timezones())],
        help_text="For the times that the server writes, such as those in the list of rooms.",
    )

    class Meta:
        model = User
        fields = ("language", "time_zone")


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


def _form_page(request: HttpRequest, template: str, form: forms.BaseForm) -> HttpResponse:
    return render(request, template, {"form": form}, status=400 if form.errors else 200)

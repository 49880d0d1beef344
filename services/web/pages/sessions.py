"""Signing in and out."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django.conf import settings
from django.contrib.auth import user_login_failed
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import formats, timezone

from shared.accounts import demo
from shared.accounts.models import User

__all__ = ["SignIn", "SignInForm", "SignOut"]


class SignInForm(AuthenticationForm):
    """Tells whose account was closed why; but only whoever knows the password."""

    def clean(self) -> dict[str, Any]:
        username, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if username is not None and password:
            closed = User.objects.filter(username=username, is_active=False).first()
            if closed is not None:
                # Instead of what Django would do, not before it: the slow hash is computed once
                # for each try, so the time it takes tells no stranger that there is an account.
                self._refuse(closed, password)
        return super().clean()

    def _refuse(self, user: User, password: str) -> None:
        if user.check_password(password):
            raise ValidationError(_why(user), code="inactive")
        user_login_failed.send(
            sender=__name__, credentials={"username": user.username}, request=self.request
        )
        raise self.get_invalid_login_error()


class SignIn(LoginView):
    """The form to sign in; whoever is signed in goes on to the rooms."""

    form_class = SignInForm
    template_name = "web/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if settings.CARILLON_DEMO:
            context |= {
                "demo_users": ", ".join(demo.USERS),
                "demo_staff": demo.STAFF,
                "demo_password": demo.DEMO_PASSWORD,
            }
        return context

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


class SignOut(LogoutView):
    """Ends the session; POST only."""

    http_method_names = ["post"]


def _why(user: User) -> str:
    if user.banned_at is None:
        return "This account was deactivated. Write to the staff if you want it back."
    at = timezone.localtime(user.banned_at, zoneinfo.ZoneInfo(user.time_zone))
    reason = user.ban_reason.rstrip(".")
    return (
        f"This account was banned on {formats.date_format(at)}: {reason}."
        " Write to the staff if you think that this is wrong."
    )

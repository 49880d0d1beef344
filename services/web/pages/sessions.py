"""Signing in and out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse

from shared.accounts import demo

__all__ = ["SignIn", "SignOut"]


class SignIn(LoginView):
    """The form to sign in; whoever is signed in goes on to the rooms."""

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

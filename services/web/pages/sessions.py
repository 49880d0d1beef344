"""Signing in and out."""

from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpResponse

__all__ = ["SignIn", "SignOut"]


class SignIn(LoginView):
    """The form to sign in; whoever is signed in goes on to the rooms."""

    template_name = "web/sign_in.html"
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=400)


class SignOut(LogoutView):
    """Ends the session; POST only."""

    http_method_names = ["post"]

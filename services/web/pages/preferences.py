"""Which categories of notifications a user wants."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.requests import SignedInRequest, signed_in
from shared.notifications.actions import do_set_preference
from shared.notifications.queries import CategoryPreference, preferences_of

__all__ = ["preferences"]


class PreferencesForm(forms.Form):
    wanted = forms.MultipleChoiceField(
        required=False, label="Tell me about", widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: QueryDict | None, found: Sequence[CategoryPreference]) -> None:
        wanted_now = [category.key for category, enabled in found if enabled]
        super().__init__(data, initial={"wanted": wanted_now})
        wanted = self.fields["wanted"]
        assert isinstance(wanted, forms.MultipleChoiceField)
        wanted.choices = [(category.key, category.label) for category, _ in found]


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: SignedInRequest) -> HttpResponse:
    """A checkbox for each category; what is off is not told, and not kept in the inbox."""
    found = preferences_of(request.user)
    form = PreferencesForm(request.POST if request.method == "POST" else None, found)
    if request.method == "POST" and form.is_valid():
        wanted = set(form.cleaned_data["wanted"])
        for category, enabled in found:
            if enabled != (category.key in wanted):
                do_set_preference(request.user, category.key, not enabled)
        messages.success(request, "Your notification preferences are saved.")
        return redirect("preferences")
    status = 400 if form.errors else 200
    return render(request, "web/preferences.html", {"form": form}, status=status)

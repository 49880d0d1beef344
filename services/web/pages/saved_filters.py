"""Saved filters: choices of users that bulk jobs can be addressed to."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, time
from typing import Any, NamedTuple

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from services.web.audience_words import criteria_words
from services.web.pages.keyset import id_of
from services.web.requests import SignedInRequest, staff_only
from shared.bulk.actions import do_delete_filter, do_save_filter
from shared.bulk.criteria import Criteria
from shared.bulk.exceptions import (
    FilterNameTaken,
    InvalidRequest,
    NotStaff,
    UnknownFilter,
)
from shared.bulk.models import SavedFilter
from shared.bulk.queries import filters_for

__all__ = ["saved_filters"]

_BOTH = [("", "Does not matter"), ("yes", "Yes"), ("no", "No")]


class _Day(forms.DateField):
    """A day, whose beginning is meant, in the time zone that the page is read in."""

    def __init__(self, label: str) -> None:
        super().__init__(
            required=False, label=label, widget=forms.DateInput(attrs={"type": "date"})
        )


class FilterForm(forms.Form):
    """A name, and what is asked; what stays open is not asked."""

    name = forms.CharField(max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    language = forms.ChoiceField(
        required=False, choices=[("", "Any language"), *settings.LANGUAGES]
    )
    time_zone = forms.ChoiceField(
        required=False,
        choices=lambda: [
            ("", "Any time zone"),
            *((name, name) for name in sorted(zoneinfo.available_timezones())),
        ],
    )
    group = forms.ModelChoiceField(
        Group.objects.order_by("name"), required=False, empty_label="Any group or none"
    )
    staff = forms.ChoiceField(required=False, choices=_BOTH)
    never_signed_in = forms.ChoiceField(required=False, choices=_BOTH, label="Has never signed in")
    joined_after = _Day("Joined on this day or later")
    joined_before = _Day("Joined before this day")
    last_login_after = _Day("Signed in last on this day or later")
    last_login_before = _Day("Signed in last before this day")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and not self.criteria:
            raise forms.ValidationError("Ask for one thing at least, besides the name.")
        return cleaned

    @property
    def criteria(self) -> dict[str, Any]:
        """What is asked, as filters keep it."""
        asked: dict[str, Any] = {}
        for name, value in self.cleaned_data.items():
            if name == "name" or not value:
                continue
            match value:
                case "yes" | "no":
                    asked[name] = value == "yes"
                case Group():
                    asked[name] = value.name
                case str():
                    asked[name] = value
                case day:
                    start = timezone.make_aware(datetime.combine(day, time.min))
                    asked[name] = start.isoformat()
        return asked


class _Row(NamedTuple):
    """A filter as the page lists it; without a count where it matches nobody for good."""

    pk: int
    name: str
    words: str
    users: int | None


@staff_only
@require_http_methods(["GET", "HEAD", "POST"])
def saved_filters(request: SignedInRequest) -> HttpResponse:
    """The filters with the number of users that each matches now, and the form for another."""
    form = FilterForm(request.POST if request.method == "POST" else None)
    try:
        if "delete" in request.POST:
            messages.success(request, _delete(request))
            return redirect("saved-filters")
        if request.method == "POST" and form.is_valid():
            do_save_filter(request.user, form.cleaned_data["name"], form.criteria)
            messages.success(request, "The filter is saved: bulk jobs offer it now.")
            return redirect("saved-filters")
    except NotStaff as error:
        raise PermissionDenied from error
    except FilterNameTaken as error:
        form.add_error("name", str(error))
    except InvalidRequest as error:
        # Such as a group that went away while the form was open.
        name = error.field.removeprefix("audience.")
        form.add_error(name if name in form.fields else None, str(error))
    context = {"form": form, "filters": [_row(each) for each in filters_for(request.user)]}
    return render(request, "web/saved_filters.html", context, status=400 if form.errors else 200)


def _delete(request: SignedInRequest) -> str:
    try:
        do_delete_filter(request.user, id_of(request.POST["delete"]) or 0)
    except UnknownFilter:
        return "The filter was deleted before."
    return "The filter is deleted."


def _row(saved: SavedFilter) -> _Row:
    try:
        criteria = Criteria.parse(saved.criteria)
    except InvalidRequest as error:
        # Such as a group that is no more.
        return _Row(saved.pk, saved.name, str(error), None)
    return _Row(saved.pk, saved.name, criteria_words(criteria), criteria.users().count())

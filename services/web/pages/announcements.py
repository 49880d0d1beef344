"""Announcements: staff speak to everybody who is connected."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from services.web.requests import SignedInRequest, signed_in, staff_only
from shared.notifications.actions import do_announce, do_see_announcement
from shared.notifications.exceptions import InvalidAnnouncement, NotStaff, UnknownAnnouncement
from shared.notifications.models import Announcement

__all__ = ["announce", "announcement_seen"]


# By hours, as the form sends them.
_LIFETIMES = [
    ("", "As long as it is kept, 30 days"),
    ("1", "1 hour"),
    ("8", "8 hours"),
    ("24", "1 day"),
    ("72", "3 days"),
    ("168", "7 days"),
]


class AnnouncementForm(forms.Form):
    message = forms.CharField(
        max_length=Announcement.MESSAGE_CHARACTERS,
        label="Announcement",
        help_text="Everybody who is signed in sees it at the top of the page, now.",
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )
    hours = forms.TypedChoiceField(
        choices=_LIFETIMES,
        coerce=int,
        empty_value=None,
        required=False,
        label="Shown for",
        help_text="Whoever comes back within this time, and has not dismissed it, sees it too.",
    )


@staff_only
@require_http_methods(["GET", "HEAD", "POST"])
def announce(request: SignedInRequest) -> HttpResponse:
    """The form to announce."""
    form = AnnouncementForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            do_announce(request.user, form.cleaned_data["message"], _end(form))
        except InvalidAnnouncement as error:
            form.add_error("message", str(error))
        except NotStaff as error:
            raise PermissionDenied from error
        else:
            messages.success(request, "Your announcement is on its way to everybody.")
            return redirect("announce")
    status = 400 if form.errors else 200
    return render(request, "web/announce.html", {"form": form}, status=status)


@signed_in
@require_POST
def announcement_seen(request: SignedInRequest, announcement_id: int) -> HttpResponse:
    """Dismiss one, for a browser without scripts; back to the page `next`, if it is one of ours."""
    try:
        do_see_announcement(request.user, announcement_id)
    except UnknownAnnouncement as error:
        raise Http404(str(error)) from error
    back = request.POST.get("next", "")
    same_site = url_has_allowed_host_and_scheme(
        back, {request.get_host()}, require_https=request.is_secure()
    )
    return redirect(back if same_site else "inbox")


def _end(form: AnnouncementForm) -> datetime | None:
    hours = form.cleaned_data["hours"]
    return None if hours is None else timezone.now() + timedelta(hours=hours)

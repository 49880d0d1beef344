"""Members of a room: its creator adds and removes them, and staff who are members themselves."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from services.web.budgets import Budget, Spent, spend_as
from services.web.pages.room import MemberForm, room_page
from services.web.requests import SignedInRequest, signed_in
from shared.chat.access import access_room
from shared.chat.actions import do_add_member, do_remove_member
from shared.chat.exceptions import CreatorStays, NotAllowed, UnknownMember, UnknownRoom

__all__ = ["members"]


@signed_in
@require_POST
def members(request: SignedInRequest, name: str) -> HttpResponse:
    """Add or remove one member."""
    try:
        room = access_room(request.user, name)
    except UnknownRoom as error:
        raise Http404(str(error)) from error
    form = MemberForm(request.POST)
    if form.is_valid():
        username = form.cleaned_data["username"]
        try:
            spend_as(request.user, Budget.ROOMS)
            if form.cleaned_data["action"] == "add":
                do_add_member(request.user, room, username)
                done = f"{username} is a member of this room now."
            else:
                do_remove_member(request.user, room, username)
                done = f"{username} is no longer a member of this room."
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error
        except (CreatorStays, UnknownMember) as error:
            form.add_error("username", str(error))
        except Spent as error:
            form.add_error("username", str(error))
            return room_page(request, room, form, status=429)
        else:
            messages.success(request, done)
            removed_oneself = not room.members.filter(pk=request.user.pk).exists()
            if room.members_only and removed_oneself:
                return redirect("rooms")
            return redirect("room", room.name)
    return room_page(request, room, form, status=400)

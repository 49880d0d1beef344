"""The page to talk in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from services.web.history import read_history
from services.web.requests import SignedInRequest, signed_in
from shared.chat.access import access_room, may_manage
from shared.chat.exceptions import UnknownRoom
from shared.chat.models import ChatRoom
from shared.chat.queries import rooms_for
from shared.chat.typing import typing_channel

__all__ = ["MemberForm", "room", "room_page"]

_ROOMS_BESIDE = 30


class MemberForm(forms.Form):
    """The part of the page that `members` takes: whom to add or remove."""

    username = forms.CharField(
        max_length=150,
        label="User name",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    action = forms.ChoiceField(choices=[("add", "Add"), ("remove", "Remove")])


@signed_in
@require_safe
def room(request: SignedInRequest, name: str) -> HttpResponse:
    """The page to talk in."""
    try:
        found = access_room(request.user, name)
    except UnknownRoom as error:
        raise Http404(str(error)) from error
    return room_page(request, found, MemberForm())


def room_page(
    request: SignedInRequest, room: ChatRoom, member_form: MemberForm, status: int = 200
) -> HttpResponse:
    """Render a room's page around a form for its members, which may show errors."""
    context: dict[str, Any] = {
        "room": room,
        "room_data": {
            "name": room.name,
            "channel": room.channel,
            "typing": typing_channel(room.name),
            **read_history(room),
        },
        "rooms": rooms_for(request.user)[:_ROOMS_BESIDE],
        "members": room.members.order_by("username") if room.members_only else None,
        "may_manage": room.members_only and may_manage(request.user, room),
        "member_form": member_form,
    }
    return render(request, "web/room.html", context, status=status)

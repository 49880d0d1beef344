"""System messages: staff speak in one room in the server's own name."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.requests import SignedInRequest, staff_only
from shared.chat.access import access_room
from shared.chat.actions import do_send_system_message
from shared.chat.exceptions import InvalidContent, NotAllowed, UnknownRoom
from shared.chat.models import Message
from shared.chat.queries import rooms_for

__all__ = ["system_message"]

_ROOMS_OFFERED = 200


class SystemMessageForm(forms.Form):
    room = forms.CharField(
        max_length=100,
        help_text="A room that you can open yourself, such as lobby.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "list": "open-rooms"}
        ),
    )
    message = forms.CharField(
        max_length=Message.CONTENT_CHARACTERS,
        help_text="It appears in the room under the name System, which no user can have.",
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )


@staff_only
@require_http_methods(["GET", "HEAD", "POST"])
def system_message(request: SignedInRequest) -> HttpResponse:
    """The form to send one; `?room=` fills in the room."""
    form = (
        SystemMessageForm(request.POST)
        if request.method == "POST"
        else SystemMessageForm(initial={"room": request.GET.get("room", "")})
    )
    if request.method == "POST" and form.is_valid():
        try:
            room = access_room(request.user, form.cleaned_data["room"])
            do_send_system_message(request.user, room, form.cleaned_data["message"])
        except UnknownRoom as error:
            form.add_error("room", f"{error} Into a members-only room its creator can add you.")
        except InvalidContent as error:
            form.add_error("message", str(error))
        except NotAllowed as error:
            raise PermissionDenied from error
        else:
            messages.success(request, f"Your system message is in {room.name}.")
            return redirect("system-message")
    status = 400 if form.errors else 200
    context = {"form": form, "rooms": rooms_for(request.user)[:_ROOMS_OFFERED]}
    return render(request, "web/system_message.html", context, status=status)

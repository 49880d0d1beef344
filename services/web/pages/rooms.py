"""The list of rooms, and making one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter

from django import forms
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from services.web.budgets import Budget, Spent, spend_as
from services.web.requests import SignedInRequest, signed_in
from shared.chat.actions import do_create_room
from shared.chat.exceptions import InvalidRoomName, NotAllowed, RoomNameTaken
from shared.chat.models import ChatRoom, Message
from shared.chat.queries import rooms_for

__all__ = ["room_list"]

_ROOMS_PER_PAGE = 50

_last: Callable[[ChatRoom], int | None] = attrgetter("last")


class RoomForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="Letters, digits, - and _. It cannot be changed later.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    members_only = forms.BooleanField(
        required=False,
        label="Members only",
        help_text="Only people you add can find it and read it.",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def room_list(request: SignedInRequest) -> HttpResponse:
    """The rooms open to the reader, and the form to make another."""
    form = RoomForm(request.POST if request.method == "POST" else None)
    status = 200 if request.method != "POST" else 400
    if request.method == "POST" and form.is_valid():
        try:
            spend_as(request.user, Budget.ROOMS)
            room = do_create_room(request.user, **form.cleaned_data)
        except (InvalidRoomName, NotAllowed, RoomNameTaken) as error:
            form.add_error("name", str(error))
        except Spent as error:
            form.add_error(None, str(error))
            status = 429
        else:
            return redirect("room", room.name)
    page = Paginator(rooms_for(request.user), _ROOMS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "cards": _cards(page.object_list)}
    return render(request, "web/rooms.html", context, status=status)


def _cards(rooms: Iterable[ChatRoom]) -> list[tuple[ChatRoom, Message | None]]:
    """Pair the rooms of `rooms_for` with what was said last in each."""
    listed = [(room, _last(room)) for room in rooms]
    messages = Message.objects.select_related("user").in_bulk(
        [last for _, last in listed if last is not None]
    )
    return [(room, None if last is None else messages.get(last)) for room, last in listed]

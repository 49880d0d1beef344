"""A room's messages."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from services.web.api.endpoint import endpoint
from services.web.api.errors import InvalidRequest, NotFound
from services.web.history import MAX_MESSAGES, PAGE_MESSAGES, read_history
from services.web.requests import SignedInRequest
from shared.chat.access import access_room
from shared.chat.actions import do_delete_message
from shared.chat.models import Message

__all__ = ["message", "messages"]

_MAX_ID = 2**63 - 1


@endpoint("GET", "HEAD")
def messages(request: SignedInRequest, name: str) -> HttpResponse:
    """Return the newest messages, or with `?before=<id>` those before a message."""
    before = _number(request, "before")
    limit = _number(request, "limit") or PAGE_MESSAGES
    room = access_room(request.user, name)
    return JsonResponse(read_history(room, before=before, limit=min(limit, MAX_MESSAGES)))


@endpoint("DELETE")
def message(request: SignedInRequest, name: str, message_id: int) -> HttpResponse:
    """Delete a message of one's own; staff may delete everybody's in the rooms open to them."""
    room = access_room(request.user, name)
    if not Message.objects.filter(room=room, pk=message_id).exists():
        raise NotFound("There is no such message in this room.")
    do_delete_message(request.user, message_id)
    return HttpResponse(status=204)


def _number(request: SignedInRequest, field: str) -> int | None:
    text = request.GET.get(field)
    if text is None:
        return None
    # ASCII first: isdigit() alone takes digits of every script, and the length bounds int().
    if text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= _MAX_ID:
        return int(text)
    raise InvalidRequest(field, "Write a whole number from 1.")

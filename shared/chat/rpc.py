"""`chat.send`: a message that may be sent again, over any connection and at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.accounts.models import User
from shared.chat.actions import do_send_message
from shared.chat.exceptions import ChatError
from shared.chat.namespaces import refusal_of
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.rpc import rpc

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["send"]


@rpc("chat.send")
def send(user: AbstractUser, data: Any) -> dict[str, Any]:
    """
    Store and publish a message.

    Args:
        user: who sends it.
        data: `room`, `message` and `client_id`, the sender's own name for the message.

    Returns:
        `id`, `epoch` and `offset` of the message; `repeated` where it was stored before.

    Raises:
        Refused: a member is missing, or the message cannot be taken.
    """
    match data:
        case {"room": str(room), "message": str(text), "client_id": str(client_id)}:
            pass
        case _:
            words = 'Send {"room": "name", "message": "text", "client_id": "yours"}.'
            raise Refused(ErrorCode.BAD_REQUEST, words)
    assert isinstance(user, User), "AUTH_USER_MODEL is our own"
    try:
        sent = do_send_message(user, room, text, client_id)
    except ChatError as error:
        raise refusal_of(error) from error
    place = {"epoch": sent.published.epoch, "offset": sent.published.offset}
    return {"id": sent.message.pk, **place, "repeated": sent.repeated}

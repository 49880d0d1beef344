"""`chat.send`: a message that may be sent again, over any connection and at any time."""

from __future__ import annotations

import json
import re
from typing import Any

from shared.chat.exceptions import UnknownRoom
from shared.chat.models import ROOM_NAME, chat_channel
from shared.chat.namespaces import refusal_of
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.namespaces import Outcome
from shared.realtime.rpc import Saying, rpc_saying

__all__ = ["send"]


@rpc_saying("chat.send")
def send(data: Any) -> Saying:
    """
    Say a message in a room.

    Args:
        data: `room`, `message` and `client_id`, the sender's own name for the message.

    Returns:
        What is said; answered with `id`, `epoch` and `offset` of the message, and `repeated` where
        it was stored before.

    Raises:
        Refused: a member is missing, or no room has such a name.
    """
    match data:
        case {"room": str(room), "message": str(text), "client_id": str(client_id)}:
            pass
        case _:
            words = 'Send {"room": "name", "message": "text", "client_id": "yours"}.'
            raise Refused(ErrorCode.BAD_REQUEST, words)
    if not re.fullmatch(ROOM_NAME, room):
        raise refusal_of(UnknownRoom())
    return Saying(chat_channel(room), {"message": text, "client_id": client_id}, _place)


def _place(outcome: Outcome) -> dict[str, Any]:
    said = outcome.published
    place = {"epoch": said.epoch, "offset": said.offset}
    return {"id": json.loads(said.data)["id"], **place, "repeated": outcome.repeated}

"""A room's messages."""

from __future__ import annotations

from typing import Annotated

from ninja import Body, Query
from ninja.responses import Status
from pydantic import AfterValidator, BaseModel, Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.errors import NotFound
from services.web.api.fields import Answer, Id, Input, Number, Timestamp
from services.web.api.routes import Routes
from services.web.budgets import Budget
from services.web.history import MAX_MESSAGES, PAGE_MESSAGES, message_data, read_history
from shared.accounts.keys import Scope
from shared.chat.access import access_room
from shared.chat.actions import do_delete_message, do_send_message
from shared.chat.models import Message

__all__ = ["routes"]

routes = Routes("messages")


def _capped(value: int) -> int:
    return min(value, MAX_MESSAGES)


class HistoryPage(BaseModel):
    before: Number | None = Field(None, description="Only what was said before this message.")
    limit: Annotated[Number, AfterValidator(_capped)] = Field(
        PAGE_MESSAGES,
        description=f"How many at most; more than {MAX_MESSAGES} count as {MAX_MESSAGES}.",
    )


class NewMessage(Input):
    message: Annotated[str, Field(examples=["Hello!"])]
    client_id: str | None = Field(
        None,
        description="The sender's own name for it, up to 64 of A-Z a-z 0-9 _ . -: with it the "
        "same message may be sent again, and is stored once.",
    )


class MessageData(Answer):
    id: Id
    username: str
    message: str
    timestamp: Timestamp
    system: bool
    deleted: bool
    client_id: str | None = Field(None, description="Only where the sender gave one.")


class History(Answer):
    messages: list[MessageData] = Field(description="The oldest first.")
    position: str | None = Field(description="From where to listen on the WebSocket.")
    more: bool = Field(description="Whether there are older ones: ask before the first one's id.")


@routes.get("/rooms/{room_name:name}/messages", scope=Scope.ROOMS_READ, answer=History)
def list_messages(request: ApiRequest, name: str, page: Query[HistoryPage]) -> History:
    """Read the newest messages of a room, or those before one of them."""
    room = access_room(request.user, name)
    return History(**read_history(room, before=page.before, limit=page.limit))


@routes.post(
    "/rooms/{room_name:name}/messages",
    scope=Scope.MESSAGES_WRITE,
    answers={201: MessageData, 200: MessageData},
    budget=Budget.MESSAGES,
    body=JSON,
    conflict=True,
)
def send_message(request: ApiRequest, name: str, body: Body[NewMessage]) -> Status[MessageData]:
    """
    Say something in a room.

    200 instead of 201 says that this client_id was stored before, and nothing new was said.
    """
    sent = do_send_message(request.user, name, body.message, body.client_id)
    return Status(200 if sent.repeated else 201, MessageData(**message_data(sent.message)))


@routes.delete(
    "/rooms/{room_name:name}/messages/{int:message_id}",
    scope=Scope.MESSAGES_WRITE,
    answers={204: None},
    budget=Budget.MESSAGES,
)
def delete_message(request: ApiRequest, name: str, message_id: Id) -> None:
    """Delete a message of one's own; staff may delete everybody's in the rooms open to them."""
    room = access_room(request.user, name)
    if not Message.objects.filter(room=room, pk=message_id).exists():
        raise NotFound("There is no such message in this room.")
    do_delete_message(request.user, message_id)

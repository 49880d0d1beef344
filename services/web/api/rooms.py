"""Rooms."""

from __future__ import annotations

from typing import Annotated

from ninja import Body, Query
from pydantic import Field

from services.web.api.bodies import JSON
from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Input, Page, Timestamp
from services.web.api.routes import Routes
from services.web.api.sentences import ROOM_PATTERN
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.chat.access import access_room, rooms_open_to
from shared.chat.actions import do_create_room
from shared.chat.models import ChatRoom

__all__ = ["routes"]

routes = Routes("rooms")


class NewRoom(Input):
    name: Annotated[str, Field(pattern=ROOM_PATTERN, examples=["lobby"])]
    members_only: bool = False


class Room(Answer):
    id: Id
    name: str
    members_only: bool
    created: Timestamp


class RoomList(Answer):
    rooms: list[Room]
    next: Id | None


@routes.get("/rooms", scope=Scope.ROOMS_READ, answer=RoomList)
def list_rooms(request: ApiRequest, page: Query[Page]) -> RoomList:
    """List the rooms that the caller may enter, the newest first."""
    rooms, following = page.cut(rooms_open_to(request.user))
    return RoomList(rooms=[_told(room) for room in rooms], next=following)


@routes.post(
    "/rooms",
    scope=Scope.ROOMS_WRITE,
    answers={201: Room},
    budget=Budget.ROOMS,
    body=JSON,
    conflict=True,
)
def create_room(request: ApiRequest, body: Body[NewRoom]) -> Room:
    """Create a room; its creator is a member."""
    return _told(do_create_room(request.user, body.name, body.members_only))


@routes.get("/rooms/{room_name:name}", scope=Scope.ROOMS_READ, answer=Room)
def read_room(request: ApiRequest, name: str) -> Room:
    """Read one room."""
    return _told(access_room(request.user, name))


def _told(room: ChatRoom) -> Room:
    return Room(id=room.pk, name=room.name, members_only=room.members_only, created=room.created_at)

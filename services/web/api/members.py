"""Members of a room."""

from __future__ import annotations

from ninja import Query

from services.web.api.caller import ApiRequest
from services.web.api.fields import Answer, Id, Page, UsernamePath
from services.web.api.routes import Routes
from services.web.budgets import Budget
from shared.accounts.keys import Scope
from shared.accounts.models import User
from shared.chat.access import access_room
from shared.chat.actions import do_add_member, do_remove_member

__all__ = ["routes"]

routes = Routes("members")


class Member(Answer):
    id: Id
    username: str


class MemberList(Answer):
    members: list[Member]
    next: Id | None


@routes.get("/rooms/{room_name:name}/members", scope=Scope.ROOMS_READ, answer=MemberList)
def list_members(request: ApiRequest, name: str, page: Query[Page]) -> MemberList:
    """List a room's members, by falling user id."""
    room = access_room(request.user, name)
    members, following = page.cut(User.objects.filter(chat_rooms=room))
    return MemberList(
        members=[Member(id=member.pk, username=member.username) for member in members],
        next=following,
    )


@routes.put(
    "/rooms/{room_name:name}/members/{username}",
    scope=Scope.ROOMS_WRITE,
    answers={204: None},
    budget=Budget.ROOMS,
)
def add_member(request: ApiRequest, name: str, username: UsernamePath) -> None:
    """Let somebody into a room; its creator and staff may. Again changes nothing."""
    do_add_member(request.user, access_room(request.user, name), username)


@routes.delete(
    "/rooms/{room_name:name}/members/{username}",
    scope=Scope.ROOMS_WRITE,
    answers={204: None},
    budget=Budget.ROOMS,
    conflict=True,
)
def remove_member(request: ApiRequest, name: str, username: UsernamePath) -> None:
    """Take somebody's membership away; their next message is refused."""
    do_remove_member(request.user, access_room(request.user, name), username)

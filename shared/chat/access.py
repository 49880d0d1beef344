"""Who may be in which room: the one place that decides it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from shared.accounts.access import active_among, is_active
from shared.accounts.models import User
from shared.chat.exceptions import UnknownRoom
from shared.chat.models import ROOM_NAME, ChatRoom, Membership

__all__ = ["access_room", "may_manage", "open_to_each", "rooms_open_to", "who_may_enter"]

# `rooms_open_to`, written out, because it is asked for each message of a client: the ORM takes
# 1.5 ms of a gateway's interpreter to write it, a fifth of what a message costs there.
_ROOM_OPEN_TO = """
    SELECT id, name, members_only, created_at, created_by_id FROM chat_chatroom room
    WHERE name = %(name)s
    AND EXISTS (SELECT 1 FROM accounts_user WHERE id = %(user)s AND is_active)
    AND (NOT members_only OR EXISTS (
        SELECT 1 FROM chat_membership WHERE room_id = room.id AND user_id = %(user)s
    ))
"""


_ROOMS_NAMED = """
    SELECT id, name, members_only, created_at, created_by_id FROM chat_chatroom
    WHERE name IN ({names})
"""


def rooms_open_to(user: AbstractUser) -> QuerySet[ChatRoom]:
    """
    Return the rooms that a user may enter: public ones, and those they are a member of.

    Whether the user is still active is asked of the database too: a connection's user object is
    as old as the connection.
    """
    active = User.objects.filter(pk=user.pk, is_active=True)
    mine = Membership.objects.filter(room=OuterRef("pk"), user_id=user.pk)
    return ChatRoom.objects.filter(Q(members_only=False) | Exists(mine), Exists(active))


def who_may_enter(room: ChatRoom) -> QuerySet[User]:
    """Return the users to whom a room is open: the other side of `rooms_open_to`."""
    active = User.objects.filter(is_active=True)
    if not room.members_only:
        return active
    return active.filter(Exists(Membership.objects.filter(room=room, user=OuterRef("pk"))))


def access_room(user: AbstractUser, name: str) -> ChatRoom:
    """
    Return a room that the user may enter, in one query.

    Raises:
        UnknownRoom: there is none of this name, or it is not open to them.
    """
    # PostgreSQL would raise on a name with NUL in it.
    if re.fullmatch(ROOM_NAME, name):
        for room in ChatRoom.objects.raw(_ROOM_OPEN_TO, {"name": name, "user": user.pk}):
            return room
    raise UnknownRoom


def open_to_each(
    wanted: Iterable[tuple[AbstractUser, str]],
) -> dict[tuple[int, str], ChatRoom]:
    """
    Return what `access_room` would find for users and room names, in three queries.

    Returns:
        the room by (the user's id, the room's name), where it would find one.
    """
    asked = {(u.pk, name) for u, name in wanted if u.pk and re.fullmatch(ROOM_NAME, name)}
    if not asked:
        return {}
    rooms = _named({name for _, name in asked})
    active = active_among({pk for pk, _ in asked})
    closed = [room.pk for room in rooms.values() if room.members_only]
    memberships = Membership.objects.filter(room__in=closed, user__in=active)
    members = set(memberships.values_list("user_id", "room_id")) if closed else set()
    return {
        (pk, name): room
        for pk, name in asked
        if pk in active
        and (room := rooms.get(name)) is not None
        and (not room.members_only or (pk, room.pk) in members)
    }


def _named(names: Collection[str]) -> dict[str, ChatRoom]:
    marks = ", ".join(["%s"] * len(names))
    found = ChatRoom.objects.raw(_ROOMS_NAMED.format(names=marks), list(names))
    return {room.name: room for room in found}


def may_manage(user: AbstractUser, room: ChatRoom) -> bool:
    """Say whether the user may add and remove members: the creator and staff may, while active."""
    return (user.is_staff or room.created_by_id == user.pk) and is_active(user)

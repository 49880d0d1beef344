"""Writes of this app. Views, consumers, tasks and the shell call these, and nothing else writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from shared.accounts.access import is_active, is_active_staff
from shared.accounts.models import User
from shared.chat.access import access_room, may_manage, rooms_open_to
from shared.chat.erasure import erase_some
from shared.chat.exceptions import (
    ChatError,
    ClientIdConflict,
    CreatorStays,
    InvalidContent,
    InvalidRoomName,
    NotAllowed,
    RoomNameTaken,
    UnknownMember,
    UnknownMessage,
    UnknownRoom,
)
from shared.chat.mentions import forget_quotes, tell_mentioned
from shared.chat.models import ROOM_NAME, ChatRoom, Membership, Message
from shared.chat.sending import (
    Key,
    Wanted,
    draft,
    insert_new,
    key_of,
    refuse_message,
    said_before,
    together,
    write_offsets,
)
from shared.realtime import streams
from shared.realtime.actions import do_control
from shared.realtime.controls import Unsubscribe
from shared.realtime.drafts import encode_data
from shared.realtime.publish import Draft, Published, publish, publish_many
from shared.realtime.text import refuse_text
from shared.realtime.transactions import retry_on_deadlock

__all__ = [
    "Sent",
    "do_add_member",
    "do_create_room",
    "do_delete_message",
    "do_erase_messages",
    "do_remove_member",
    "do_send_message",
    "do_send_messages",
    "do_send_system_message",
]

# In one transaction of an erasure, whose locks are held for a moment only.
_ERASED_AT_ONCE = 1_000
# To tell of more would push other people's messages out of the logs.
_ERASED_ALOUD = 200
# For clients: a server's wish, after which they do not come back by themselves.
_REMOVED = 2000


class Sent(NamedTuple):
    """
    A stored message.

    Attributes:
        message: the row.
        published: its publication.
        repeated: the same client_id was stored before; nothing new was written or published.
    """

    message: Message
    published: Published
    repeated: bool


def do_create_room(user: User, name: str, members_only: bool = False) -> ChatRoom:
    """
    Create a room; its creator is a member.

    Raises:
        InvalidRoomName, RoomNameTaken: choose another name. NotAllowed: the user is not active.
    """
    if not is_active(user):
        raise NotAllowed
    if not re.fullmatch(ROOM_NAME, name):
        raise InvalidRoomName
    try:
        with transaction.atomic():
            room = ChatRoom.objects.create(name=name, members_only=members_only, created_by=user)
            Membership.objects.create(room=room, user=user)
            # So that the room's page has a position to start from although it never writes.
            streams.touch(room.channel)
    except IntegrityError as error:
        raise RoomNameTaken from error
    return room


@retry_on_deadlock
def do_send_message(user: User, room_name: str, content: str, client_id: str | None = None) -> Sent:
    """
    Store a message, tell whom it mentions and publish it.

    With a `client_id` it may be sent again, on any gateway and at any time: the first one wins
    and is returned.

    Raises:
        UnknownRoom: no such room for this user, at this moment.
        InvalidContent: the content or the client_id cannot be taken.
        ClientIdConflict: the client_id names another message.
    """
    if (refused := refuse_message(content, client_id)) is not None:
        raise refused
    room = access_room(user, room_name)
    try:
        with transaction.atomic():
            message, published = _store(
                Message(room=room, user=user, content=content, client_id=client_id)
            )
    except IntegrityError as error:
        mine = Message.objects.select_related("user").filter(user=user)
        found = mine.filter(client_id=client_id).first() if client_id is not None else None
        if found is None:
            # The room or the user was deleted in between.
            raise UnknownRoom from error
        return _repeat(found, room, content)
    return Sent(message, published, repeated=False)


@retry_on_deadlock
def do_send_messages(wanted: Sequence[Wanted]) -> list[Sent | ChatError]:
    """
    Do what `do_send_message` does for each of many, in their order, in one transaction.

    The answers are what it would return or raise. They may be fewer than there are messages, but
    one at least: those after them were not looked at, for the next call.
    """
    with transaction.atomic():
        drafted = draft(together(wanted))
        messages = [each for each in drafted if isinstance(each, Message)]
        new = insert_new(messages)
        # As `_store` does for one.
        for each in new:
            tell_mentioned(each)
        published = publish_many([Draft(each.room.channel, each.as_data()) for each in new])
        write_offsets(new, [publication.offset for publication in published])
        before = said_before([each for each in messages if each.pk is None], new)
        sent = iter(zip(new, published, strict=True))
        return [
            each
            if isinstance(each, ChatError)
            else Sent(*next(sent), repeated=False)
            if each.pk is not None
            else _repeat_or_conflict(each, before)
            for each in drafted
        ]


@retry_on_deadlock
def do_send_system_message(user: User, room: ChatRoom, content: str) -> Message:
    """
    Say something in a room as the server itself; only staff may.

    Raises:
        NotAllowed: the user is not staff.
        InvalidContent: the content cannot be taken.
    """
    if not is_active_staff(user):
        raise NotAllowed
    if words := refuse_text(content, maximum=Message.CONTENT_CHARACTERS):
        raise InvalidContent("message", words)
    with transaction.atomic():
        message, _ = _store(Message(room=room, content=content, system=True))
    return message


@retry_on_deadlock
def do_delete_message(user: User, message_id: int) -> None:
    """
    Delete a message: its content goes from the row and from the log, and all readers hear of it.

    Deleting it again changes nothing.

    Raises:
        UnknownMessage: there is none in the rooms this user may enter.
        NotAllowed: it is somebody else's, and the user is not staff.
    """
    with transaction.atomic():
        messages = Message.objects.select_for_update(of=("self",)).select_related("room")
        message = messages.filter(pk=message_id).first()
        if message is None:
            raise UnknownMessage
        if not is_active_staff(user):
            if not rooms_open_to(user).filter(pk=message.room_id).exists():
                raise UnknownMessage
            if message.user_id != user.pk:
                raise NotAllowed
        if message.deleted_at is not None:
            return
        forget_quotes(message.room, [message])
        message.content, message.deleted_at, message.deleted_by = "", timezone.now(), user
        message.save(update_fields=["content", "deleted_at", "deleted_by"])
        streams.redact(message.room.channel, message.offset, message.as_data())
        publish(message.room.channel, message.as_data())


def do_erase_messages(user: User) -> None:
    """
    Take all that a user said out of the tables and the logs, and their memberships.

    Connected readers hear of the 200 newest; the others go from their pages with the next load.
    """
    with transaction.atomic():
        newest = erase_some(user, _ERASED_ALOUD, newest=True)
        if newest:
            publish_many([Draft(each.room.channel, each.as_data()) for each in newest])
    more = bool(newest)
    while more:
        with transaction.atomic():
            more = bool(erase_some(user, _ERASED_AT_ONCE, newest=False))
    Membership.objects.filter(user=user).delete()


def do_add_member(actor: User, room: ChatRoom, username: str) -> None:
    """
    Let a user into a members-only room; a member stays one.

    Raises:
        NotAllowed: the actor does not manage the room.
        UnknownMember: no such active user.
    """
    member = _managed_member(actor, room, username)
    if not member.is_active:
        raise UnknownMember
    Membership.objects.get_or_create(room=room, user=member)


def do_remove_member(actor: User, room: ChatRoom, username: str) -> None:
    """
    Take a user's membership away; what they hear of the room ends.

    Raises:
        NotAllowed: the actor does not manage the room.
        UnknownMember: no such user.
        CreatorStays: the user created the room; without them nobody might manage it.
    """
    member = _managed_member(actor, room, username)
    if member.pk == room.created_by_id:
        raise CreatorStays
    with transaction.atomic():
        Membership.objects.filter(room=room, user=member).delete()
        for channel in room.channels:
            do_control(
                Unsubscribe(
                    user=str(member.pk), channel=channel, code=_REMOVED, reason="not a member"
                )
            )


def _managed_member(actor: User, room: ChatRoom, username: str) -> User:
    if not may_manage(actor, room):
        raise NotAllowed
    member = User.objects.filter(username=username).first()
    if member is None:
        raise UnknownMember
    return member


def _store(message: Message) -> tuple[Message, Published]:
    # The row first, for its id; then the publication, whose lock is held only for what follows.
    message.save(force_insert=True)
    if not message.system:
        tell_mentioned(message)
    published = publish(message.room.channel, message.as_data())
    message.offset = published.offset
    Message.objects.filter(pk=message.pk).update(offset=published.offset)
    return message, published


def _repeat_or_conflict(message: Message, before: Mapping[Key, Message]) -> Sent | ChatError:
    found = before.get(key_of(message))
    if found is None:
        # It was deleted in between.
        return UnknownRoom()
    try:
        return _repeat(found, message.room, message.content)
    except ClientIdConflict as error:
        return error


def _repeat(message: Message, room: ChatRoom, content: str) -> Sent:
    # A deleted message has lost its content: its own resend is still the same message.
    if message.room_id != room.pk or (message.deleted_at is None and message.content != content):
        raise ClientIdConflict
    epoch = streams.touch(room.channel).position.epoch
    published = Published(
        channel=room.channel,
        epoch=epoch,
        offset=message.offset,
        data=encode_data(message.as_data()),
        time=message.timestamp.timestamp(),
    )
    return Sent(message, published, repeated=True)

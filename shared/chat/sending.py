"""
Messages by sets: what `do_send_messages` stores many with, in a few statements.

And what it shares with `do_send_message`, whose answers it gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from shared.accounts.models import User
from shared.chat.access import open_to_each
from shared.chat.exceptions import ChatError, InvalidContent, UnknownRoom
from shared.chat.models import Message
from shared.realtime.text import refuse_text

__all__ = [
    "Key",
    "Wanted",
    "draft",
    "insert_new",
    "key_of",
    "refuse_message",
    "said_before",
    "together",
    "write_offsets",
]

type Key = tuple[int | None, str | None]

_AT_ONCE = 100
_CLIENT_ID = re.compile(rf"[A-Za-z0-9_.-]{{1,{Message.CLIENT_ID_CHARACTERS}}}")

# Raw SQL, because the ORM tells of no row whether it is new where others may be there already.
# A row without a client_id never is.
_INSERT = """
    INSERT INTO chat_message (room_id, user_id, system, content, timestamp, client_id, "offset")
    VALUES {rows}
    ON CONFLICT (user_id, client_id) DO NOTHING
    RETURNING id, user_id, client_id
"""
_INSERTED_ROW = "(%s, %s, FALSE, %s, %s, %s, 0)"
# Both databases call the columns of VALUES so.
_PLACE = """
    UPDATE chat_message SET "offset" = placed.column2
    FROM (VALUES {rows}) AS placed WHERE chat_message.id = placed.column1
"""


class Wanted(NamedTuple):
    """A message that somebody wants to send."""

    user: User
    room: str
    content: str
    client_id: str | None = None


def refuse_message(content: str, client_id: str | None) -> InvalidContent | None:
    """Return why the content or the client_id of a message cannot be taken, if so."""
    if words := refuse_text(content, maximum=Message.CONTENT_CHARACTERS):
        return InvalidContent("message", words)
    if client_id is not None and not _CLIENT_ID.fullmatch(client_id):
        return InvalidContent(
            "client_id", f"1 to {Message.CLIENT_ID_CHARACTERS} letters, digits, _ . or -."
        )
    return None


def together(wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """
    Return the first of the messages, which may share a transaction.

    A mention locks the streams of those whom it tells, in the order of their ids. Those of a second
    one might be in another order than somebody else's: so it waits for the next transaction.
    """
    mentioning = [index for index, each in enumerate(wanted) if "@" in each.content]
    end = mentioning[1] if len(mentioning) > 1 else len(wanted)
    return wanted[: min(end, _AT_ONCE)]


def draft(wanted: Sequence[Wanted]) -> list[Message | ChatError]:
    """Return the message that each makes, not stored yet, or why it cannot be taken."""
    rooms = open_to_each((each.user, each.room) for each in wanted)
    drafted: list[Message | ChatError] = []
    for user, name, content, client_id in wanted:
        room = rooms.get((user.pk, name))
        if (refused := refuse_message(content, client_id)) is not None:
            drafted.append(refused)
        elif room is None:
            drafted.append(UnknownRoom())
        else:
            drafted.append(Message(room=room, user=user, content=content, client_id=client_id))
    return drafted


def key_of(message: Message) -> Key:
    """Return what a message with a client_id is known by, and no other one."""
    return message.user_id, message.client_id


def insert_new(messages: Sequence[Message]) -> list[Message]:
    """
    Insert messages, give them their ids, in their order, and return them.

    Left out, and without an id, are those whose client_id is taken: by one that was stored before,
    or by one before them.
    """
    firsts: dict[Key, Message] = {}
    for each in messages:
        firsts.setdefault(key_of(each), each)
    rows = [each for each in messages if each.client_id is None or firsts[key_of(each)] is each]
    if not rows:
        return []
    values: list[Any] = []
    for each in rows:
        said = connection.ops.adapt_datetimefield_value(each.timestamp)
        values += [each.room_id, each.user_id, each.content, said, each.client_id]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT.format(rows=", ".join([_INSERTED_ROW] * len(rows))), values)
        # Ids are given out in the order of the rows.
        inserted = sorted(cursor.fetchall())
    taken_in = {(user, client_id) for _, user, client_id in inserted}
    new = [each for each in rows if each.client_id is None or key_of(each) in taken_in]
    for each, (pk, *key) in zip(new, inserted, strict=True):
        assert key_of(each) == tuple(key), "rows keep their order"
        each.pk = pk
    return new


def said_before(repeated: Sequence[Message], new: Sequence[Message]) -> dict[Key, Message]:
    """Return the messages that have the client_ids of the repeated ones: new ones, or stored."""
    found = {key_of(each): each for each in new if each.client_id is not None}
    if missing := {key_of(each) for each in repeated} - found.keys():
        stored = Message.objects.select_related("user").filter(
            user__in={user for user, _ in missing}, client_id__in={name for _, name in missing}
        )
        found |= {key_of(each): each for each in stored}
    return found


def write_offsets(messages: Sequence[Message], offsets: Sequence[int]) -> None:
    """Store the places that messages were given in their rooms' streams."""
    values: list[int] = []
    for each, offset in zip(messages, offsets, strict=True):
        each.offset = offset
        values += [each.pk, offset]
    if values:
        rows = ", ".join(["(%s, %s)"] * len(messages))
        with connection.cursor() as cursor:
            cursor.execute(_PLACE.format(rows=rows), values)

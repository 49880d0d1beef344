"""
Mentions: `@name` in a message tells that user, if they may enter the room.

What a notification quotes is gone when the message goes. It is found by its address, which
nothing but the message makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from django.db.models import QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from shared.accounts.models import User
from shared.chat.access import who_may_enter
from shared.chat.kinds import Mention
from shared.chat.models import ChatRoom, Message
from shared.notifications.notify import notify
from shared.notifications.withdrawal import withdraw

__all__ = ["MENTIONED_AT_ONCE", "forget_quotes", "names_in", "tell_mentioned"]

MENTIONED_AT_ONCE = 20
_QUOTE_CHARACTERS = 200
_ANONYMOUS = gettext_lazy("You were mentioned in {room}")
# Possessive, so that a name is taken whole or not at all, however long the text is.
_MENTION = re.compile(r"(?<![\w.@+-])@([A-Za-z0-9_.@+-]++)(?!\w)")
_NAME_CHARACTERS = 150
# Names may end with these, and so may sentences.
_PUNCTUATION = ".@+-"


def names_in(text: str) -> list[str]:
    """
    Return the names that a text mentions, each once, in their order; at most 20.

    In an e-mail address there is none. The end of a sentence may be a part of a name or not: what
    is returned still has it (see `tell_mentioned`).
    """
    names: dict[str, None] = {}
    for match in _MENTION.finditer(text):
        if len(names) == MENTIONED_AT_ONCE:
            break
        if len(match[1]) <= _NAME_CHARACTERS and match[1].strip(_PUNCTUATION):
            names[match[1]] = None
    return list(names)


def tell_mentioned(message: Message) -> None:
    """
    Tell whom a new message mentions and who may enter its room, but for its author.

    The caller is in the message's transaction, with its row stored and not yet published.
    """
    if "@" not in message.content:
        return
    found = _users_named(who_may_enter(message.room), names_in(message.content))
    found.pop(message.user_id or 0, None)
    if found:
        notify(
            found.values(),
            Mention,
            author=message.username,
            room=message.room.name,
            text=_shortened(message.content),
            url=_address(message.room, message.pk),
        )


def forget_quotes(room: ChatRoom, messages: Sequence[Message], *, author_too: bool = False) -> None:
    """
    Take what notifications quote of a room's messages out of them.

    Args:
        room: the messages' room.
        messages: with their content still there; the caller is in the transaction that takes it.
        author_too: take the author's name as well.
    """
    addresses = [_address(room, each.pk) for each in messages if "@" in each.content]
    anonymous = format_lazy(_ANONYMOUS, room=room.name) if author_too else None
    if addresses:
        withdraw(Mention, addresses, title=anonymous)


def _users_named(users: QuerySet[User], names: Iterable[str]) -> dict[int, User]:
    """Return who is meant by the names, by id: `bob.` is bob, unless there is a user `bob.`."""
    spellings = {name: (name, name.rstrip(_PUNCTUATION)) for name in names}
    wanted = {spelling for both in spellings.values() for spelling in both}
    found = {user.username: user for user in users.filter(username__in=wanted)}
    meant = [found.get(whole) or found.get(bare) for whole, bare in spellings.values()]
    return {user.pk: user for user in meant if user is not None}


def _address(room: ChatRoom, message_id: int) -> str:
    return f"/rooms/{room.name}/#message-{message_id}"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _QUOTE_CHARACTERS else f"{text[: _QUOTE_CHARACTERS - 1]}…"

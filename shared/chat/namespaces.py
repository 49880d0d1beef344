"""`chat:<room name>`: a room's messages. `typing:<room name>`: who is writing one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.accounts.models import User
from shared.chat.access import access_room, open_to_each
from shared.chat.actions import Sent, do_send_message, do_send_messages
from shared.chat.exceptions import ChatError, ClientIdConflict, InvalidContent, UnknownRoom
from shared.chat.sending import Wanted
from shared.chat.typing import TYPING, refuse_typing, typing_data
from shared.realtime.exceptions import ErrorCode, Refused
from shared.realtime.namespaces import Namespace, Outcome, register, topic_of
from shared.realtime.publish import publish

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["ChatNamespace", "TypingNamespace", "refusal_of"]


class _RoomNamespace(Namespace):
    """Channels of rooms: whoever may enter one may hear it."""

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        try:
            access_room(user, topic_of(channel))
        except UnknownRoom:
            return False
        return True

    def can_subscribe_each(self, wanted: Sequence[tuple[AbstractUser, str]]) -> Sequence[bool]:
        rooms = open_to_each((user, topic_of(channel)) for user, channel in wanted)
        return [(user.pk, topic_of(channel)) in rooms for user, channel in wanted]


@register
class TypingNamespace(_RoomNamespace):
    """
    Whoever may enter a room may tell there that they are typing.

    Nothing is kept: whoever is not there at that moment has missed nothing.
    """

    name = TYPING

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        return self.can_subscribe(user, channel)

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        if words := refuse_typing(data):
            raise Refused(ErrorCode.BAD_REQUEST, words)
        return Outcome(publish(channel, typing_data(user)))


@register
class ChatNamespace(_RoomNamespace):
    """Whoever may enter a room may hear it and speak in it."""

    name = "chat"
    history_size = 10_000
    history_ttl = timedelta(days=7)
    presence = True
    join_leave = True

    def can_publish(self, user: AbstractUser, channel: str) -> bool:
        # `on_publish` says so: to write a message is to look for its room as one's own.
        return True

    def on_publish(self, user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Outcome:
        try:
            sent = do_send_message(*_wanted(user, channel, data))
        except ChatError as error:
            raise refusal_of(error) from error
        return Outcome(sent.published, repeated=sent.repeated)

    def on_publish_each(
        self, wanted: Sequence[tuple[AbstractUser, str, Mapping[str, Any]]]
    ) -> Sequence[Outcome | Refused]:
        asked = [_wanted_or_refused(*each) for each in wanted]
        messages = [each for each in asked if isinstance(each, Wanted)]
        results = iter(do_send_messages(messages) if messages else [])
        answers: list[Outcome | Refused] = []
        for one in asked:
            if isinstance(one, Refused):
                answers.append(one)
                continue
            sent = next(results, None)
            if sent is None:
                break
            answers.append(
                Outcome(sent.published, repeated=sent.repeated)
                if isinstance(sent, Sent)
                else refusal_of(sent)
            )
        return answers


def _wanted_or_refused(
    user: AbstractUser, channel: str, data: Mapping[str, Any]
) -> Wanted | Refused:
    try:
        return _wanted(user, channel, data)
    except Refused as error:
        return error


def _wanted(user: AbstractUser, channel: str, data: Mapping[str, Any]) -> Wanted:
    text, client_id = data.get("message"), data.get("client_id")
    if not isinstance(text, str):
        raise Refused(ErrorCode.BAD_REQUEST, 'Send {"message": "text"}.', field="message")
    if client_id is not None and not isinstance(client_id, str):
        raise Refused(ErrorCode.BAD_REQUEST, "client_id is a string.", field="client_id")
    assert isinstance(user, User), "AUTH_USER_MODEL is our own"
    return Wanted(user, topic_of(channel), text, client_id)


def refusal_of(error: ChatError) -> Refused:
    """Return what a client is told of an error."""
    match error:
        case InvalidContent():
            return Refused(ErrorCode.CONTENT_REFUSED, str(error), field=error.field)
        case ClientIdConflict():
            return Refused(ErrorCode.CONFLICT, str(error), field="client_id")
        case _:
            return Refused(ErrorCode.PERMISSION_DENIED, str(error))

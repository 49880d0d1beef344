"""Clients that speak in the same moment, which a namespace may store together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.accounts.commands import MOST_TOGETHER, NotTogether, goes_together, publish_each_as
from shared.realtime.exceptions import ErrorCode, RealtimeError, Refused
from shared.testing.client import RealtimeClient
from shared.testing.exceptions import CommandRefused
from shared.testing.subscriptions import as_json

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

    from shared.testing.connection import Connection

__all__ = ["publish_together"]


def publish_together(
    channel: str, said: Sequence[tuple[RealtimeClient, Mapping[str, Any]]]
) -> list[CommandRefused | None]:
    """
    Have clients publish in one channel at the same time, through its `on_publish_each`.

    As in a gateway, a hundred at most go together, and what the namespace leaves comes again.

    Args:
        channel: of a namespace with `on_publish_each`, and with history.
        said: clients and what they say, in the order in which it comes.

    Returns:
        With what each was refused; None for what was published.

    Raises:
        ValueError: the namespace stores one at a time.
        Disconnected: the connection of one of them is closed; then nothing is published.
        Exception: what the hook raises, where a gateway would log it and store each by itself.
    """
    if not goes_together(channel):
        raise ValueError(f"{channel}: its namespace has no on_publish_each, or no history.")
    answers: list[CommandRefused | None] = [None] * len(said)
    waiting: list[tuple[int, Connection, AbstractUser, dict[str, Any]]] = []
    for index, (client, data) in enumerate(said):
        connection = client._connection
        user, told = connection.speaker(), as_json(data)
        try:
            connection.find(channel)
            if not isinstance(told, dict):
                raise Refused(ErrorCode.BAD_REQUEST, "data is a JSON object")
        except RealtimeError as error:
            answers[index] = connection.answer(error)
        else:
            waiting.append((index, connection, user, told))
    while waiting:
        together = waiting[:MOST_TOGETHER]
        try:
            outcomes = publish_each_as(channel, [(user, data) for _, _, user, data in together])
        except NotTogether as error:
            raise error.__cause__ or error from None
        for (index, connection, _, _), outcome in zip(together, outcomes, strict=False):
            if isinstance(outcome, Refused):
                answers[index] = connection.answer(outcome)
        waiting = waiting[len(outcomes) :]
    return answers

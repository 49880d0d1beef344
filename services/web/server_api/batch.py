"""`batch`: many commands in one request, each with a reply of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.methods import METHODS, UNAVAILABLE, carry_out
from services.web.server_api.requests import Batch, read
from shared.realtime.exceptions import ErrorCode

__all__ = ["BATCH_COMMANDS", "Command", "batch", "read_commands"]

BATCH_COMMANDS = 1_000


class Command(NamedTuple):
    """
    Attributes:
        name: its method, whether or not there is one of this name.
        request: what the method takes; None for what cannot be carried out.
    """

    name: str
    request: msgspec.Struct | None


def read_commands(value: Any) -> list[Command]:
    """
    Return a batch's commands, all of which are read before any is carried out.

    Raises:
        Malformed: a part has another type.
        ServerApiError: 106, more than 1,000 commands.
    """
    commands = read(Batch, value).commands
    if len(commands) > BATCH_COMMANDS:
        raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, f"{BATCH_COMMANDS} commands at once")
    return [_command(each) for each in commands]


def batch(caller: Caller, commands: Sequence[Command]) -> dict[str, Any]:
    """
    Carry out a batch's commands, one after the other, and return their replies in order.

    `parallel` allows another order and asks for none; each command is a transaction of its own.
    """
    return {"replies": [_reply(caller, each) for each in commands]}


def _command(fields: dict[str, Any]) -> Command:
    for name, method in METHODS.items():
        if fields.get(name) is not None:
            return Command(name, read(method.request, fields[name]))
    return Command(next((name for name in fields if name in UNAVAILABLE), ""), None)


def _reply(caller: Caller, command: Command) -> dict[str, Any]:
    try:
        return {command.name: carry_out(caller, command.name, command.request)}
    except ServerApiError as error:
        # Alone: the Python client finds its result by the method's name, or fails.
        return {"error": error.as_data()}

"""`batch`: many commands in one request, each with a reply of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.methods import METHODS, UNAVAILABLE, carry_out
from services.web.server_api.requests import Batch, read
from shared.realtime.exceptions import ErrorCode

__all__ = ["BATCH_COMMANDS", "batch", "number_of_commands"]

BATCH_COMMANDS = 1_000


class _Command(NamedTuple):
    name: str
    request: msgspec.Struct | None


def batch(caller: Caller, value: Any) -> dict[str, Any]:
    """
    Carry out a batch's commands, one after the other, and return their replies in order.

    `parallel` allows another order and asks for none; each command is a transaction of its own.

    Raises:
        Malformed: a part has another type; then nothing was carried out.
        ServerApiError: 106, more than 1,000 commands.
    """
    commands = read(Batch, value).commands
    if len(commands) > BATCH_COMMANDS:
        raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, f"{BATCH_COMMANDS} commands at once")
    read_before_all = [_command(each) for each in commands]
    return {"replies": [_reply(caller, each) for each in read_before_all]}


def number_of_commands(value: Any) -> int:
    """Return how many commands a batch has, before it is read; 1 where it is none."""
    match value:
        case {"commands": list(commands)} if commands:
            return len(commands)
        case _:
            return 1


def _command(fields: dict[str, Any]) -> _Command:
    for name, method in METHODS.items():
        if fields.get(name) is not None:
            return _Command(name, read(method.request, fields[name]))
    return _Command(next((name for name in fields if name in UNAVAILABLE), ""), None)


def _reply(caller: Caller, command: _Command) -> dict[str, Any]:
    try:
        return {command.name: carry_out(caller, command.name, command.request)}
    except ServerApiError as error:
        # Alone: the Python client finds its result by the method's name, or fails.
        return {"error": error.as_data()}

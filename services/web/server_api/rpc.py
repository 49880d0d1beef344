"""`rpc`: a method of an installed app, called in the name of the key's user."""

from __future__ import annotations

from typing import Any

import msgspec

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.requests import RpcRequest
from shared.accounts.commands import call_as
from shared.realtime.exceptions import ErrorCode

__all__ = ["rpc"]


def rpc(caller: Caller, request: RpcRequest) -> dict[str, Any]:
    """Call a method that an app declares in its `rpc.py`; the result is what it returns."""
    if not request.method:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "method is missing")
    # Before it may write anything; its answer is not refused afterwards, however long it is.
    caller.check_room()
    answer = call_as(caller.user, request.method, request.params)
    return {"data": msgspec.Raw(answer.encode())}

"""`rpc`: a method of an installed app, called in the name of the key's user."""

from __future__ import annotations

from typing import Any

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.requests import RpcRequest
from shared.realtime.exceptions import ErrorCode
from shared.realtime.rpc import call

__all__ = ["rpc"]


def rpc(caller: Caller, request: RpcRequest) -> dict[str, Any]:
    """Call a method that an app declares in its `rpc.py`; the result is what it returns."""
    if not request.method:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "method is missing")
    return {"data": call(caller.user, request.method, request.params)}

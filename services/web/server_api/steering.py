"""`subscribe`, `unsubscribe`, `disconnect`, `refresh`: what is done with users' connections."""

from __future__ import annotations

import time
from typing import Any

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.requests import (
    DisconnectRequest,
    RefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
    json_of,
)
from shared.realtime.actions import do_control
from shared.realtime.controls import (
    Disconnect,
    MalformedControl,
    Override,
    Refresh,
    Since,
    Subscribe,
    Unsubscribe,
    check_reason,
)
from shared.realtime.exceptions import ErrorCode

__all__ = ["disconnect", "refresh", "subscribe", "unsubscribe"]

# Final, both: the client does not come back by itself.
_FORCE_DISCONNECT = (3503, "force disconnect")
_SERVER_UNSUBSCRIBE = (2000, "server unsubscribe")


def subscribe(caller: Caller, request: SubscribeRequest) -> dict[str, Any]:
    """Subscribe the user's live connections; the server's word is the permission."""
    caller.namespace_of(request.channel)
    try:
        info = json_of(request.info, request.b64info)
        data = json_of(request.data, request.b64data)
    except ValueError:
        words = "b64info or b64data is not JSON in Base64"
        raise ServerApiError(ErrorCode.BAD_REQUEST, words) from None
    since, override = request.recover_since, request.override
    flags = {name: getattr(override, name) for name in override.__struct_fields__}
    do_control(
        Subscribe(
            user=request.user,
            client=request.client,
            session=request.session,
            channel=request.channel,
            info=info,
            data=data,
            expire_at=request.expire_at,
            recover_since=None if since is None else Since(offset=since.offset, epoch=since.epoch),
            override=Override(**{name: flag.value for name, flag in flags.items() if flag}),
        )
    )
    return {}


def unsubscribe(caller: Caller, request: UnsubscribeRequest) -> dict[str, Any]:
    """End the user's subscriptions to a channel."""
    caller.namespace_of(request.channel)
    code, reason = _SERVER_UNSUBSCRIBE
    do_control(
        Unsubscribe(
            user=request.user,
            client=request.client,
            session=request.session,
            channel=request.channel,
            code=code,
            reason=reason,
        )
    )
    return {}


def disconnect(caller: Caller, request: DisconnectRequest) -> dict[str, Any]:
    """End the user's connections."""
    code, reason = request.disconnect.code, request.disconnect.reason
    if not code:
        code, reason = _FORCE_DISCONNECT[0], reason or _FORCE_DISCONNECT[1]
    if not 3000 <= code <= 4999:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "disconnect.code is not 3000-4999")
    # Without a reason the JavaScript client takes every code for one to come back after.
    reason = reason or _FORCE_DISCONNECT[1]
    try:
        check_reason(reason)
    except MalformedControl as error:
        raise ServerApiError(ErrorCode.BAD_REQUEST, f"disconnect.reason: {error}") from None
    do_control(
        Disconnect(
            user=request.user,
            client=request.client,
            session=request.session,
            code=code,
            reason=reason,
            whitelist=request.whitelist,
        )
    )
    return {}


def refresh(caller: Caller, request: RefreshRequest) -> dict[str, Any]:
    """
    Change when the user's connections expire; a moment that has passed ends them.

    Raises:
        ServerApiError: 108, to say anew what others see of them.
    """
    if request.info is not None:
        # Others have been told already. And the zero that is left out beside it lifts the expiry,
        # which nobody who sends it alone can mean.
        raise ServerApiError(ErrorCode.NOT_AVAILABLE, "info")
    passed = request.expire_at != 0 and request.expire_at <= time.time()
    do_control(
        Refresh(
            user=request.user,
            client=request.client,
            session=request.session,
            expired=request.expired or passed,
            expire_at=request.expire_at,
        )
    )
    return {}

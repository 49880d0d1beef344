"""`publish` and `broadcast`: data of another server, committed before the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.requests import Broadcast, PublishRequest, Terms, json_of
from shared.realtime.actions import do_publish_each
from shared.realtime.drafts import encode_data
from shared.realtime.exceptions import ErrorCode, InvalidChannel, InvalidData, UnknownNamespace
from shared.realtime.positions import Position

__all__ = ["BROADCAST_CHANNELS", "broadcast", "publish"]

BROADCAST_CHANNELS = 1_000


def publish(caller: Caller, request: PublishRequest) -> dict[str, Any]:
    """Publish to one channel; the result is the publication's position."""
    check_writable(caller, request.channel)
    [position] = _publish_each(caller, [request.channel], request)
    return _position(position)


def broadcast(caller: Caller, request: Broadcast) -> dict[str, Any]:
    """Publish the same data to many channels: to all of those that can be published to, or none."""
    if not request.channels:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "channels is missing")
    if len(request.channels) > BROADCAST_CHANNELS:
        raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, f"{BROADCAST_CHANNELS} channels at once")
    refusals = {channel: _refusal(caller, channel) for channel in request.channels}
    writable = [channel for channel in request.channels if refusals[channel] is None]
    positions = iter(_publish_each(caller, writable, request))
    responses = [
        {"result": _position(next(positions))}
        if (error := refusals[channel]) is None
        else {"error": error.as_data()}
        for channel in request.channels
    ]
    return {"responses": responses}


def check_writable(caller: Caller, channel: str) -> None:
    """
    Refuse a channel whose log the caller may not write.

    Raises:
        InvalidChannel, UnknownNamespace, ServerApiError: why.
    """
    namespace = caller.namespace_of(channel)
    if not namespace.server_can_publish:
        # What stands there stands for a row, which a publication alone would not make.
        detail = f"{namespace.name}: is not written by servers"
        raise ServerApiError(ErrorCode.PERMISSION_DENIED, detail)


def _refusal(caller: Caller, channel: str) -> ServerApiError | None:
    try:
        check_writable(caller, channel)
    except InvalidChannel:
        return ServerApiError(ErrorCode.BAD_REQUEST, "not a channel name")
    except UnknownNamespace:
        return ServerApiError(ErrorCode.UNKNOWN_CHANNEL)
    except ServerApiError as error:
        return error
    return None


def _publish_each(caller: Caller, channels: Sequence[str], terms: Terms) -> list[Position]:
    try:
        data = json_of(terms.data, terms.b64data)
    except ValueError:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "b64data is not JSON in Base64") from None
    if data is None:
        raise ServerApiError(ErrorCode.BAD_REQUEST, "data is missing")
    if terms.tags:
        # The log has no place for them yet; to lose them without a word would be worse.
        raise ServerApiError(ErrorCode.NOT_AVAILABLE, "tags")
    try:
        caller.tell(len(encode_data(data)) * len(channels))
        return do_publish_each(
            channels,
            data,
            skip_history=terms.skip_history,
            idempotency_key=terms.idempotency_key,
            version=terms.version,
            version_epoch=terms.version_epoch,
        )
    except InvalidData as error:
        raise ServerApiError(ErrorCode.BAD_REQUEST, str(error)) from error


def _position(position: Position) -> dict[str, Any]:
    # Without history there is none.
    if position.offset == 0 and not position.epoch:
        return {}
    return {"offset": position.offset, "epoch": position.epoch}

"""`history`, `history_remove`, `presence`, `presence_stats`: one channel's past and present."""

from __future__ import annotations

from typing import Any

import msgspec

from services.web.server_api.caller import Caller
from services.web.server_api.errors import ServerApiError
from services.web.server_api.publishing import check_writable
from services.web.server_api.requests import ChannelRequest, HistoryRequest
from shared.presence import queries
from shared.presence.clients import ClientInfo
from shared.realtime import history as log
from shared.realtime.actions import do_remove_history
from shared.realtime.exceptions import ErrorCode
from shared.realtime.namespaces import Namespace
from shared.realtime.positions import Position

__all__ = ["history", "history_remove", "presence", "presence_stats"]


def history(caller: Caller, request: HistoryRequest) -> dict[str, Any]:
    """Return publications of the log, and where it stands."""
    _check_history(caller.namespace_of(request.channel))
    since = request.since
    try:
        page = log.history(
            request.channel,
            since=None if since is None else Position(since.epoch, since.offset),
            limit=request.limit,
            reverse=request.reverse,
        )
    except ValueError as error:
        raise ServerApiError(ErrorCode.BAD_REQUEST, str(error)) from error
    publications = [
        {"offset": each.offset, "data": msgspec.Raw(each.data.encode())}
        for each in page.publications
    ]
    position = page.position
    return {
        "publications": publications,
        "offset": position.offset,
        "epoch": position.epoch,
    }


def history_remove(caller: Caller, request: ChannelRequest) -> dict[str, Any]:
    """Remove what the log keeps of a channel; offsets go on, epoch and head stay."""
    _check_history(caller.namespace_of(request.channel))
    check_writable(caller, request.channel)
    do_remove_history(request.channel)
    return {}


def presence(caller: Caller, request: ChannelRequest) -> dict[str, Any]:
    """Return who is subscribed, on all gateways, by the ids of their connections."""
    _check_presence(caller.namespace_of(request.channel))
    members = queries.members(request.channel)
    return {"presence": {client: _client(info) for client, info in members.items()}}


def presence_stats(caller: Caller, request: ChannelRequest) -> dict[str, Any]:
    """Return how many connections are subscribed, and of how many users."""
    _check_presence(caller.namespace_of(request.channel))
    stats = queries.stats(request.channel)
    return {"num_clients": stats.num_clients, "num_users": stats.num_users}


def _check_history(namespace: Namespace) -> None:
    if not namespace.history_size:
        raise ServerApiError(ErrorCode.NOT_AVAILABLE, f"{namespace.name}: keeps no history")


def _check_presence(namespace: Namespace) -> None:
    if not namespace.presence:
        raise ServerApiError(ErrorCode.NOT_AVAILABLE, f"{namespace.name}: keeps no presence")


def _client(info: ClientInfo) -> dict[str, Any]:
    told: dict[str, Any] = {"client": info.client, "user": info.user}
    if info.conn_info is not None:
        told["conn_info"] = msgspec.Raw(info.conn_info.encode())
    if info.chan_info is not None:
        told["chan_info"] = msgspec.Raw(info.chan_info.encode())
    return told

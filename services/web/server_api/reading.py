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

__all__ = [
    "MOST_PRESENT",
    "PAGE_BYTES",
    "PAGE_PUBLICATIONS",
    "history",
    "history_remove",
    "presence",
    "presence_stats",
]

# Of history; there is a next one.
PAGE_PUBLICATIONS = 1_000
PAGE_BYTES = 2 * 1024 * 1024
# Clients of one channel. There is no next page: who is there changes meanwhile.
MOST_PRESENT = 5_000


def history(caller: Caller, request: HistoryRequest) -> dict[str, Any]:
    """Return a page of publications of the log, and where it stands."""
    _check_history(caller.namespace_of(request.channel))
    since, limit = request.since, request.limit
    try:
        page = log.history(
            request.channel,
            since=None if since is None else Position(since.epoch, since.offset),
            limit=PAGE_PUBLICATIONS if limit == -1 else min(limit, PAGE_PUBLICATIONS),
            byte_limit=PAGE_BYTES,
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
    """
    Return who is subscribed, on all gateways, by the ids of their connections.

    Raises:
        ServerApiError: 106, they are a crowd, or too much is told of them.
    """
    _check_presence(caller.namespace_of(request.channel))
    found: dict[str, dict[str, Any]] = {}
    characters = 0
    for info in queries.each_member(request.channel, MOST_PRESENT + 1):
        if len(found) == MOST_PRESENT:
            words = f"more than {MOST_PRESENT} clients: presence_stats counts them"
            raise ServerApiError(ErrorCode.LIMIT_EXCEEDED, words)
        # A character is one byte at least: so it ends before all of them are in memory.
        characters += len(info.conn_info or "") + len(info.chan_info or "")
        caller.check_room(characters)
        found[info.client] = _client(info)
    return {"presence": found}


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

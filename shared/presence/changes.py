"""
What gateways tell each other of who comes to a channel and who goes. Pure; no I/O.

Each is a publication of the channel `presence:<channel>`, whose data is its kind and its content.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from shared.broker.wire import Published
from shared.presence.clients import ClientInfo

__all__ = ["PRESENCE", "count", "info_of", "join", "leave", "text_of", "user_who_joined"]

# The namespace of those channels.
PRESENCE = "presence"


def join(channel: str, info: ClientInfo) -> Published:
    """Return what tells that a client came."""
    return _change(channel, "join", info_of(info))


def leave(channel: str, info: ClientInfo) -> Published:
    """Return what tells that a client went."""
    return _change(channel, "leave", info_of(info))


def count(channel: str, clients: int, users: int) -> Published:
    """Return what tells how many are in a crowd: an ordinary publication of the channel."""
    data = {"type": "presence", "num_clients": clients, "num_users": users}
    text = msgspec.json.encode(data).decode()
    return Published(channel, "", 0, text, time.time())


def user_who_joined(change: Published) -> str | None:
    """Return the user's id of a join; None of anything else."""
    match msgspec.json.decode(change.data):
        case {"join": {"info": {"user": str(user)}}}:
            return user
        case _:
            return None


def info_of(info: ClientInfo) -> dict[str, Any]:
    """Return what clients are told of a client, as in `client.proto`."""
    told: dict[str, Any] = {"user": info.user, "client": info.client}
    if info.conn_info is not None:
        told["conn_info"] = msgspec.Raw(info.conn_info.encode())
    if info.chan_info is not None:
        told["chan_info"] = msgspec.Raw(info.chan_info.encode())
    return told


def text_of(info: ClientInfo) -> str:
    """Return what clients are told of a client as JSON text."""
    return msgspec.json.encode(info_of(info)).decode()


def _change(channel: str, kind: str, info: dict[str, Any]) -> Published:
    text = msgspec.json.encode({kind: {"info": info}}).decode()
    return Published(f"{PRESENCE}:{channel}", "", 0, text, time.time())

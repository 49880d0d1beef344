"""
What clients of the Centrifuge protocol are told: replies and pushes, as text. Pure; no I/O.

Members with a zero value are left out, but for those that clients need; see `client.proto` of
centrifugal/protocol. Data is spliced in as it is: a publication's frame costs one string operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from services.gateway.caughtup import CaughtUp
from shared.broker.wire import Published
from shared.presence.changes import info_of
from shared.presence.clients import ClientInfo
from shared.realtime.positions import Position

__all__ = [
    "PING",
    "change",
    "connected",
    "disconnected",
    "done",
    "error",
    "frames",
    "history",
    "made",
    "presence",
    "presence_stats",
    "publication",
    "refresh",
    "refreshed",
    "returned",
    "sub_refreshed",
    "subscribed",
    "subscription",
    "unsubscribed",
    "with_data",
]

PING = "{}"

_MESSAGES_PER_FRAME = 16
# In UTF-8 at most 512 KiB; clients of some versions take no more than 1 MiB.
_FRAME_CHARACTERS = 128 * 1024


def frames(messages: Iterable[str]) -> list[str]:
    """Join messages to frames of at most 16, and of a size that every client takes."""
    joined: list[str] = []
    part: list[str] = []
    size = 0
    for message in messages:
        if part and (len(part) == _MESSAGES_PER_FRAME or size + len(message) > _FRAME_CHARACTERS):
            joined.append("\n".join(part))
            part, size = [], 0
        part.append(message)
        size += len(message)
    if part:
        joined.append("\n".join(part))
    return joined


# -- replies --


def done(number: int, method: str) -> str:
    """Return the reply to a command that has no other result than that it worked."""
    return _reply(number, method, "{}")


def error(number: int, code: int, message: str, *, temporary: bool = False) -> str:
    """Return the reply to a command that was refused."""
    what = {"code": code, "message": message, **({"temporary": True} if temporary else {})}
    return f'{{"id":{number},"error":{_encode(what)}}}'


def connected(
    number: int,
    client: str,
    *,
    version: str,
    ping_seconds: int,
    subscriptions: Mapping[str, str],
    lifetime: int | None = None,
    time_ms: int = 0,
) -> str:
    """
    Return the reply to `connect`.

    Args:
        number: the command's.
        client: the connection's name.
        version: this server's.
        ping_seconds: how often it pings.
        subscriptions: what `subscription` returned for each server-side subscription.
        lifetime: in how many seconds the credentials end; None if they do not.
        time_ms: the server's clock.
    """
    result: dict[str, Any] = {"client": client, "version": version}
    if lifetime is not None:
        result |= {"expires": True, "ttl": max(1, lifetime)}
    result |= {"ping": ping_seconds, "pong": True}
    if time_ms:
        result["time"] = time_ms
    text = _encode(result)
    if subscriptions:
        members = ",".join(f"{_encode(name)}:{each}" for name, each in subscriptions.items())
        text = f'{text[:-1]},"subs":{{{members}}}}}'
    return _reply(number, "connect", text)


def refreshed(number: int, client: str, *, version: str, lifetime: int | None) -> str:
    """Return the reply to `refresh`; its client copies the name."""
    result: dict[str, Any] = {"client": client, "version": version}
    if lifetime is not None:
        result |= {"expires": True, "ttl": max(1, lifetime)}
    return _reply(number, "refresh", _encode(result))


def sub_refreshed(number: int, *, lifetime: int | None) -> str:
    """Return the reply to `sub_refresh`."""
    result = {} if lifetime is None else {"expires": True, "ttl": max(1, lifetime)}
    return _reply(number, "sub_refresh", _encode(result))


def subscription(
    caught_up: CaughtUp, *, has_history: bool, recover: bool, lifetime: int | None = None
) -> str:
    """
    Return the result of a subscription, alone or as one of `connect`.

    Args:
        caught_up: from where on the client hears the channel, and what it missed.
        has_history: whether the channel has positions.
        recover: whether the client has asked for what it missed.
        lifetime: in how many seconds the subscription ends; None if it does not.
    """
    result: dict[str, Any] = {}
    if lifetime is not None:
        result |= {"expires": True, "ttl": max(1, lifetime)}
    if has_history:
        result |= {"recoverable": True, "epoch": caught_up.position.epoch, "positioned": True}
        if caught_up.position.offset:
            result["offset"] = caught_up.position.offset
    if recover:
        result["was_recovering"] = True
        if not caught_up.is_lost:
            result["recovered"] = True
    text = _encode(result)
    if caught_up.missed:
        # Each text was made once for all who come back together.
        publications = ",".join(caught_up.missed.texts(_publication))
        text = f'{text[:-1]},"publications":[{publications}]}}'
    return text


def with_data(result: str, data: Any) -> str:
    """Return what `subscription` returned with what a server says of it."""
    member = f'"data":{_encode(data)}'
    return f"{{{member}}}" if result == "{}" else f"{result[:-1]},{member}}}"


def subscribed(number: int, result: str) -> str:
    """Return the reply to `subscribe`, of what `subscription` returned."""
    return _reply(number, "subscribe", result)


def history(number: int, publications: Sequence[Published], position: Position) -> str:
    """Return the reply to `history`."""
    place = f'"epoch":{_encode(position.epoch)},"offset":{position.offset}'
    return _reply(number, "history", f'{{"publications":{_publications(publications)},{place}}}')


def presence(number: int, members: Mapping[str, ClientInfo]) -> str:
    """Return the reply to `presence`, of the clients in a channel by their ids."""
    told = {"presence": {client: info_of(info) for client, info in members.items()}}
    return _reply(number, "presence", msgspec.json.encode(told).decode())


def presence_stats(number: int, clients: int, users: int) -> str:
    """Return the reply to `presence_stats`."""
    return _reply(number, "presence_stats", f'{{"num_clients":{clients},"num_users":{users}}}')


def returned(number: int, answer: str) -> str:
    """Return the reply to `rpc`, of a method's answer as JSON text."""
    return _reply(number, "rpc", "{}" if answer == "null" else f'{{"data":{answer}}}')


# -- pushes --


def publication(published: Published) -> str:
    """Return the push of a publication."""
    return _push(published.channel, "pub", _publication(published))


def change(published: Published) -> str:
    """Return the push of a `presence:<channel>` publication, whose data is its kind and content."""
    about = _encode(published.channel.partition(":")[2])
    return f'{{"push":{{"channel":{about},{published.data[1:]}}}'


def made(channel: str, result: str, data: Any = None) -> str:
    """
    Return the push that says that a channel is heard from now on.

    Args:
        channel: the channel.
        result: what `subscription` returned for it.
        data: what the server that wanted it says of it; None is nothing.
    """
    return _push(channel, "subscribe", result if data is None else with_data(result, data))


def refresh(lifetime: int | None) -> str:
    """Return the push that tells of another end of the credentials; None has none."""
    what = {} if lifetime is None else {"expires": True, "ttl": max(1, lifetime)}
    return f'{{"push":{{"refresh":{_encode(what)}}}}}'


def unsubscribed(channel: str, code: int, reason: str) -> str:
    """Return the push that ends a subscription."""
    return _push(channel, "unsubscribe", _encode({"code": code, "reason": reason}))


def disconnected(code: int, reason: str) -> str:
    """
    Return the push that comes before a close frame.

    A client that finds no reason in the close frame, or a proxy that drops it, has it from here.
    """
    return f'{{"push":{{"disconnect":{_encode({"code": code, "reason": reason})}}}}}'


def _publication(published: Published) -> str:
    # Stored data has no raw newline: it was encoded by us.
    if published.offset == 0:
        info = f',"info":{published.info}' if published.info else ""
        return f'{{"data":{published.data}{info}}}'
    return f'{{"data":{published.data},"offset":{published.offset}}}'


def _publications(publications: Sequence[Published]) -> str:
    return f"[{','.join(map(_publication, publications))}]"


def _reply(number: int, method: str, result: str) -> str:
    return f'{{"id":{number},"{method}":{result}}}'


def _push(channel: str, kind: str, what: str) -> str:
    return f'{{"push":{{"channel":{_encode(channel)},"{kind}":{what}}}}}'


def _encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

"""
`/connection/websocket`: the Centrifuge client protocol.

A handshake says nothing of who it is: the first command does, with a token, or else the session's
cookie counts. A browser sends both a cookie and the Origin of the page that connects, so a cookie
is believed beside one of our origins alone; without an Origin, as from a program, it takes a token.
"""

from __future__ import annotations

from django.conf import settings
from django.http import parse_cookie

from services.gateway.admission import Full, Turn
from services.gateway.centrifuge.client import Client
from services.gateway.refusal import Receive, Scope, Send, refuse
from services.gateway.runtime import the_gateway

__all__ = ["centrifuge"]

_JSON = "centrifuge-json"


async def centrifuge(scope: Scope, receive: Receive, send: Send) -> None:
    """Be the ASGI application of the endpoint."""
    origins = _headers(scope, b"origin")
    if origins and not (
        len(origins) == 1 and origins[0].lower() in settings.CARILLON_PUBLIC_ORIGINS
    ):
        await receive()
        await refuse(scope, send, "origin")
        return
    offered = scope.get("subprotocols") or []
    if offered and _JSON not in offered:
        # Such as Protobuf: whoever speaks only that would not understand a word.
        await receive()
        await refuse(scope, send, "protocol", 400)
        return
    client = Client(the_gateway(), _session_key(scope) if origins else None, scope, send)
    following = client.following(receive)
    turn: Turn | None = None
    try:
        while True:
            message = await following()
            match message["type"]:
                case "websocket.connect":
                    turn = await the_gateway().admission.turn()
                    client.turn = turn
                    await client.open(_JSON if offered else None)
                case "websocket.receive" if turn is not None:
                    turn.speak()
                    await client.receive(message.get("text"))
                    turn.end()
                    client.turn = turn = None
                case "websocket.receive":
                    await client.receive(message.get("text"))
                case "websocket.disconnect":
                    client.close(message["code"])
                    return
    except Full:
        await refuse(scope, send, "capacity", 503)
    finally:
        # Also when the server cancels us: nothing of the connection may stay in the hub.
        client.close(1006)
        if turn is not None:
            turn.end()


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for each, value in scope["headers"] if each == name]


def _session_key(scope: Scope) -> str | None:
    for header in _headers(scope, b"cookie"):
        if key := parse_cookie(header).get(settings.SESSION_COOKIE_NAME):
            return key
    return None

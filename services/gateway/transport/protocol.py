"""A WebSocket connection: Daphne's, with its output and input bounded and its closing told."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any
from weakref import ref

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from services.gateway.closecodes import CloseCode
from services.gateway.transport.frames import binary_frame, text_frame
from services.gateway.transport.sockets import GatewaySocket
from services.gateway.transport.wire import Wire
from shared.telemetry import metrics

__all__ = ["GatewayFactory", "GatewayProtocol"]

_UNSENT_BYTES = 256 * 1024
# An application that sends one by one waits for its client from here on.
_PATIENT_BYTES = 64 * 1024
_STALLED_SECONDS = 10.0
_REASON_BYTES = 123
# Those that RFC 6455 and its registry let a server send; 1005, 1006 and 1015 are for no frame.
_SENDABLE = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


class GatewayProtocol(Wire, WebSocketProtocol):
    """
    One connection, from its upgrade on.

    It is a wire, which groups write to, where its socket is ours (`is_fast`); elsewhere, as behind
    TLS, its application gets everything sent by ASGI messages alone.
    """

    # Daphne's are in Python, and a connection is looked up in sets for each of its groups.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    is_fast = False
    # What its application serves on it, for metrics.
    kind = ""
    # Bytes of a catch-up, which do not count as too many while they wait.
    _granted = 0
    _is_watched = False
    _is_reading_paused = False
    # The payload of a ping without an answer, and when it was sent, by time.monotonic().
    _pinged: bytes | None = None
    _pinged_at = 0.0
    _ping_slot = -1
    _ping_number = 0
    _room: asyncio.Future[None] | None = None
    # Off the fast path: whether the transport wants nothing more for now.
    is_full = False

    # -- handshake --

    def onConnect(self, request: Any) -> Any:
        # Daphne would take a client's word for where the application is mounted.
        request.headers.pop("daphne-root-path", None)
        # The HTTP channel, which else stays its producer and stops reading when writing is slow.
        self.transport.unregisterProducer()
        self.factory.server_class.handshakes.add(ref(self))
        return super().onConnect(request)

    def onOpen(self) -> None:
        self._slim()
        self.is_fast = self.can_be_fast
        if self.is_fast:
            self.transport.wire = self
            if self.unsent():
                self.is_busy = True
                self.watch_stall()
        else:
            self.transport.registerProducer(_Room(self), True)
        self._ping_slot = self.server.pings.add(self)

    def _slim(self) -> None:
        # What only the handshake needs; it would be kept for as long as the connection is open.
        for name in _LEFTOVERS:
            self.__dict__.pop(name, None)

    @property
    def can_be_fast(self) -> bool:
        """Whether bytes may go to the socket past autobahn and Twisted."""
        return (
            self.factory.server_class.is_fast
            and type(self.transport) is GatewaySocket
            and not self.transport.TLS
            and self._perMessageCompress is None
        )

    def turn_down(self, status: int, headers: list[tuple[str, str]] | None = None) -> None:
        """Answer the handshake with an HTTP status; afterwards there is no connection."""
        if self.state != self.STATE_CONNECTING or not hasattr(self, "handshake_deferred"):
            return
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        self.failHandshake(_PHRASES.get(status, "Refused"), status, headers)

    def serverReject(self) -> None:
        self.turn_down(403)

    # -- output --

    def descriptor(self) -> int:
        return int(self.transport.fileno())

    def unsent(self) -> int:
        socket = self.transport
        return int(socket._tempDataLen + len(socket.dataBuffer) - socket.offset)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def write_within_bound(self, data: bytes) -> None:
        while self._is_too_much(data):
            # Perhaps it only was not its turn: what ASGI sends in one tick waits for the next.
            before = self.unsent()
            self.transport.reactor._readOrWrite(self.transport, False)
            if self.is_cut:
                return
            if self.unsent() == before:
                self._give_up()
                return
        self.transport.write(data)

    def drop(self) -> None:
        self.cut()
        self.transport.abortConnection()

    def send_granted(self, frames: list[bytes]) -> None:
        """Send a catch-up, which does not count as too much while it is on its way."""
        if self.is_cut:
            return
        self.catch_up()
        if self.is_cut:
            return
        data = b"".join(frames)
        metrics.SENT_BYTES.inc(len(data))
        self._granted += len(data)
        self.transport.write(data)

    def _is_too_much(self, data: bytes) -> bool:
        waiting = self.unsent() - self._granted
        # What is too long by itself is no fault of the reader's.
        return waiting > 0 and waiting + len(data) > _UNSENT_BYTES

    def _give_up(self) -> None:
        metrics.MESSAGES_DROPPED.labels(kind=self.kind, reason="slow_consumer").inc()
        self.cut()
        self.shut(CloseCode.SLOW, CloseCode.SLOW.reason)

    def drained(self) -> None:
        """Be told that the socket took all that waited."""
        self._granted = 0
        self.make_idle()
        self.let_in()

    def watch_stall(self) -> None:
        """See that the peer takes something within 10 s, for as long as bytes wait."""
        if not self._is_watched:
            self._is_watched = True
            self.server.stalls.add(self)

    def judge_stall(self) -> None:
        """Close where nothing was taken for too long."""
        self._is_watched = False
        if not self.is_busy or self.is_cut or not self.unsent():
            return
        if time.monotonic() - self.transport.took_at >= _STALLED_SECONDS:
            self._give_up()
        else:
            self.watch_stall()

    async def wait_for_room(self) -> None:
        """Wait until the client has taken most of what it was sent, or is gone."""
        while not self.is_cut and self._is_crowded():
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            try:
                # On the fast path stalls are watched; here nobody else would notice.
                async with asyncio.timeout(None if self.is_fast else _STALLED_SECONDS):
                    await asyncio.shield(self._room)
            except TimeoutError:
                self._give_up()

    def _is_crowded(self) -> bool:
        return self.unsent() > _PATIENT_BYTES if self.is_fast else self.is_full

    def let_in(self) -> None:
        """Let the application send again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # Pings and pongs, of which a client can ask for any number.
        if self.is_fast and not self.is_cut:
            self.send(data)
        else:
            super().sendData(data, sync, chopsize)

    def handle_reply(self, message: dict[str, Any]) -> None:
        """
        Do what the application wants.

        Raises:
            ValueError: the message makes no sense now.
        """
        match message["type"]:
            case "websocket.accept":
                self.serverAccept(message.get("subprotocol"))
            case "websocket.http.response.start":
                headers = [(k.decode("ascii"), v.decode("latin-1")) for k, v in message["headers"]]
                self.turn_down(message["status"], headers)
            case "websocket.http.response.body":
                pass
            case "websocket.close" if self.state == self.STATE_CONNECTING:
                self.turn_down(403)
            case "websocket.close":
                code = message.get("code")
                self.shut(1000 if code is None else code, message.get("reason") or "")
            case "websocket.send":
                self._reply(message.get("text"), message.get("bytes"))
            case other:
                raise ValueError(f"{other} is no message for a WebSocket.")

    def _reply(self, text: str | None, data: bytes | None) -> None:
        if self.state == self.STATE_CONNECTING:
            raise ValueError("Accept the connection before you send over it.")
        if (text is None) == (data is None):
            raise ValueError("A message has either text or bytes.")
        if self.state != self.STATE_OPEN:
            return
        payload = data if text is None else text.encode()
        assert payload is not None
        metrics.SENT_BYTES.inc(len(payload))
        if not self.is_fast:
            self.sendMessage(payload, text is None)
            return
        self.catch_up()
        if not self.is_cut:
            # However much it is: the application waits for room before it sends more.
            self.write(binary_frame(payload) if text is None else text_frame(payload))

    # -- input --

    def processData(self) -> bool:
        # One read may hold thousands of frames: the rest waits here until there is room.
        if self._is_reading_paused and self.state == self.STATE_OPEN:
            return False
        return bool(super().processData())

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN:
            # Sent before our close frame arrived; nothing bounds how much of it there is.
            return
        key, data = ("bytes", payload) if isBinary else ("text", payload.decode())
        metrics.RECEIVED_BYTES.inc(len(payload))
        self.application_queue.put_nowait({"type": "websocket.receive", key: data})

    def pause_reading(self) -> None:
        """Leave what the client sends in the socket."""
        self._is_reading_paused = True
        self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """Go on reading, with what had been read already."""
        self._is_reading_paused = False
        if self.state in (self.STATE_OPEN, self.STATE_CLOSING):
            self.consumeData()
            if not self._is_reading_paused and not self.transport.disconnecting:
                self.transport.resumeProducing()

    # -- pings --

    def ping(self) -> None:
        if self.state != self.STATE_OPEN or self._pinged is not None:
            return
        self._ping_number += 1
        self._pinged = struct.pack("!I", self._ping_number & 0xFFFFFFFF)
        self._pinged_at = time.monotonic()
        self.sendPing(self._pinged)
        self.server.pongs.add((self, self._ping_number))

    def onPong(self, payload: bytes) -> None:
        if self._pinged == payload:
            self._pinged = None
            metrics.PING_RTT.observe(time.monotonic() - self._pinged_at)

    def judge_pong(self, number: int) -> None:
        """Close where a ping has had no answer for too long."""
        if self._pinged is None or number != self._ping_number:
            return
        if self._is_reading_paused:
            # Its pong may be in the socket, behind what the application has not taken.
            self.server.pongs.add((self, number))
        else:
            self.shut(CloseCode.NO_PONG, CloseCode.NO_PONG.reason)

    def check_timeouts(self) -> None:
        """Do nothing: clocks and deadlines look after all of this."""

    # -- closing --

    def shut(self, code: int, reason: str = "") -> None:
        """
        Send a close frame, behind all that was sent before.

        Raises:
            ValueError: no server may send this code.
        """
        if code not in _SENDABLE:
            raise ValueError(f"{code} is no close code that a server may send.")
        if self.state == self.STATE_OPEN:
            words = reason.encode()[:_REASON_BYTES].decode(errors="ignore").encode()
            self.sendCloseFrame(code=code, reasonUtf8=words, isReply=False)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        if self.groups:
            self.catch_up()
        # Nothing may follow a close frame.
        self.cut()
        super().sendCloseFrame(code=code, reasonUtf8=reasonUtf8, isReply=isReply)
        if self._is_reading_paused:
            # Its answer comes behind what the application has not taken, and now never will.
            self.transport.reactor.callLater(0, self.resume_reading)

    def dropConnection(self, abort: bool = False) -> None:
        # Never with a reset at once, as autobahn has it also after a clean close: what was sent
        # last, the close frame, may not have arrived. Who does not take it is reset by `part`.
        self.cut()
        super().dropConnection(abort=False)
        self.factory.server_class.partings.add(ref(self))

    def part(self) -> None:
        """Reset a connection that could not end in order; one that has ended is no matter."""
        self.transport.abortConnection()

    @property
    def closed_with(self) -> int | None:
        """The code of the close frame that was sent first, and not in answer to one."""
        return self.localCloseCode if self.closedByMe else None

    def cut(self) -> None:
        super().cut()
        self.let_in()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.cut()
        if self._ping_slot >= 0:
            self.server.pings.discard(self, self._ping_slot)
        if hasattr(self, "server"):
            self.server.protocol_disconnected(self)
            if hasattr(self, "application_queue"):
                self.application_queue.put_nowait({"type": "websocket.disconnect", "code": code})


_LEFTOVERS = (
    "_transport_details",
    "_wskey",
    "application_deferred",
    "clean_headers",
    "http_headers",
    "http_request_data",
    "http_request_host",
    "http_request_params",
    "http_request_path",
    "http_request_uri",
    "http_status_line",
    "protocol_to_accept",
    "request",
    "websocket_extensions",
    "websocket_extensions_in_use",
    "websocket_origin",
    "websocket_protocols",
)


class _Room:
    """A producer in Twisted's words: what a transport tells, that has more or less to send."""

    def __init__(self, protocol: GatewayProtocol) -> None:
        self._protocol = protocol

    def pauseProducing(self) -> None:
        self._protocol.is_full = True

    def resumeProducing(self) -> None:
        self._protocol.is_full = False
        self._protocol.let_in()

    def stopProducing(self) -> None:
        self.resumeProducing()


_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class GatewayFactory(WebSocketFactory):
    """Makes connections with options that Daphne does not pass on."""

    protocol = GatewayProtocol

    def setProtocolOptions(self, **options: Any) -> None:
        super().setProtocolOptions(
            **options,
            versions=[13],
            # Protocol errors get a close frame that tells them, not a reset.
            failByDrop=False,
            closeHandshakeTimeout=2,
            echoCloseCodeReason=True,
            autoPingRestartOnAnyTraffic=False,
        )
        # There is one set of options in a process: autobahn copies to each connection only those
        # that its class does not have.
        for name in GatewayProtocol.CONFIG_ATTRS:
            value = getattr(self, name)
            # One is a function, called with the offers of compression and with nothing else.
            setattr(GatewayProtocol, name, staticmethod(value) if callable(value) else value)

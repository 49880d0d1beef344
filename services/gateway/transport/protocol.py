"""A WebSocket connection: Daphne's, with its output and input bounded and its closing told."""

from __future__ import annotations

from typing import Any

from daphne.ws_protocol import WebSocketFactory

from services.gateway.transport.ending import Ending
from services.gateway.transport.frames import binary_frame, text_frame
from services.gateway.transport.heartbeat import Heartbeat
from services.gateway.transport.input import Input
from services.gateway.transport.opening import Opening
from services.gateway.transport.output import Output
from shared.telemetry import metrics

__all__ = ["GatewayFactory", "GatewayProtocol"]


class GatewayProtocol(Opening, Input, Heartbeat, Ending, Output):
    """
    One connection, from its upgrade on.

    Its parts are classes that share one object, not objects of their own: there are ten thousand.
    Here is what holds them together, the messages of its application.
    """

    # Daphne's are in Python, and a connection is looked up in sets for each of its groups.
    __hash__ = object.__hash__
    __eq__ = object.__eq__

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
                headers = [
                    (k.decode("ascii"), v.decode("latin-1")) for k, v in message.get("headers", ())
                ]
                self.turn_down(message["status"], headers)
            case "websocket.http.response.body":
                # The status says it all: whoever opens a WebSocket never sees the text.
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
        assert payload is not None, "one of the two is there, as was just seen"
        metrics.SENT_BYTES.inc(len(payload))
        frame = binary_frame(payload) if text is None else text_frame(payload)
        if not self.is_fast:
            # Not by `sendMessage`, which has the limit of what clients may send.
            self.sendData(frame)
            return
        self.catch_up()
        if not self.is_cut:
            # However much it is: the application waits for room before it sends more.
            self.write(frame)

    def check_timeouts(self) -> None:
        """Do nothing: clocks and deadlines look after all of this."""


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

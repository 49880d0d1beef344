"""The server: Daphne's, with connections, clocks and endings kept by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any
from weakref import ref

import daphne.server
from autobahn.websocket import protocol as autobahn_protocol
from twisted.internet import reactor, tcp

from services.gateway.transport.deadlines import Deadlines
from services.gateway.transport.http import HandshakeChannel, HandshakeFactory
from services.gateway.transport.inbox import Inbox
from services.gateway.transport.pings import PingClock
from services.gateway.transport.protocol import GatewayFactory, GatewayProtocol
from services.gateway.transport.sockets import GatewaySocket
from shared.telemetry import metrics

__all__ = ["EXTENSION", "GatewayServer"]

logger = logging.getLogger(__name__)

# In the scope's extensions, where an application finds its connection's wire.
EXTENSION = "carillon.wire"

_HANDSHAKE_SECONDS = 10.0
# How often a connection for which bytes wait is asked when its peer last took some.
_STALL_SECONDS = 2.0
# For a client to take what was sent before its connection ends.
_PARTING_SECONDS = 2.0
# How long it takes to send to a client that is gone.
_GONE_SECONDS = 0.05
# For an application whose connection is gone.
_END_SECONDS = 10.0


class _Connection:
    """What the server keeps of a connection."""

    __slots__ = ("is_gone", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.is_gone = False


class GatewayServer(daphne.server.Server):
    """Serves one ASGI application over WebSockets."""

    def __init__(
        self,
        application: Callable[..., Awaitable[None]],
        endpoints: list[str],
        *,
        max_message_bytes: int,
        ping_seconds: float,
        pong_seconds: float,
        proxies: Iterable[str] = (),
        is_fast: bool = True,
        header_seconds: float = 5.0,
    ) -> None:
        """
        Take what to serve, and where.

        Args:
            application: the ASGI application.
            endpoints: in Twisted's words, such as "tcp:port=8000:interface=127.0.0.1".
            max_message_bytes: of a message or a frame from a client.
            ping_seconds: how often each connection is pinged.
            pong_seconds: how long an answer may take.
            proxies: addresses or networks whose X-Real-IP is believed.
            is_fast: whether groups may write to sockets themselves.
            header_seconds: how long the head of a request may take.
        """
        super().__init__(
            application,
            endpoints=endpoints,
            signal_handlers=False,
            # Each of these has its own deadline here.
            websocket_timeout=-1,
            websocket_handshake_timeout=0,
            ping_interval=ping_seconds,
            ping_timeout=pong_seconds,
            websocket_max_message_size=max_message_bytes,
            websocket_max_frame_size=max_message_bytes,
            proxy_forwarded_address_header="X-Real-IP",
            verbosity=0,
            server_name="",
        )
        self.is_fast = is_fast
        self.is_draining = False
        self.connections: dict[Any, _Connection] = {}
        self._proxies = [ip_network(each) for each in proxies]
        self.pings = PingClock(ping_seconds)
        self.pongs: Deadlines[tuple[GatewayProtocol, int]] = Deadlines(
            pong_seconds, lambda due: due[0].judge_pong(due[1])
        )
        # Everybody goes through these: who is gone before must not be kept for them, which is
        # 100 MB where two thousand come and go in a second.
        self.arrivals: Deadlines[ref[HandshakeChannel]] = Deadlines(
            header_seconds, _if_there(HandshakeChannel.judge_arrival)
        )
        self.handshakes: Deadlines[ref[GatewayProtocol]] = Deadlines(
            _HANDSHAKE_SECONDS, _if_there(lambda protocol: protocol.turn_down(503))
        )
        self.partings: Deadlines[ref[GatewayProtocol]] = Deadlines(
            _PARTING_SECONDS, _if_there(GatewayProtocol.part)
        )
        self.stalls: Deadlines[GatewayProtocol] = Deadlines(
            _STALL_SECONDS, GatewayProtocol.judge_stall
        )
        self._ends: Deadlines[_Connection] = Deadlines(_END_SECONDS, _kill)

    def unsent(self) -> int:
        """Return how many bytes for clients wait in user space; from any thread."""
        # Whoever has some is watched, whether or not it takes them.
        return sum(p.unsent() for p in self.stalls if p.transport and p.transport.connected)

    def run(self) -> None:
        """Serve until stopped; what Daphne and its libraries make are our classes from here on."""
        metrics.SEND_QUEUE_BYTES.set_function(self.unsent)
        tcp.Port.transport = GatewaySocket
        daphne.server.WebSocketFactory = GatewayFactory
        daphne.server.HTTPFactory = HandshakeFactory
        # A third of an accept's time, for the text of a message that nobody logs.
        autobahn_protocol.pformat = lambda *_: ""  # type: ignore[attr-defined]
        super().run()

    def trusts(self, peer: Any) -> bool:
        """Tell whether a peer is one of our proxies; a unix socket's always is."""
        host = getattr(peer, "host", None)
        return host is None or any(ip_address(host) in network for network in self._proxies)

    def open_connections(self) -> Iterator[GatewayProtocol]:
        """Go through the connections whose handshake is done."""
        return (
            protocol
            for protocol in list(self.connections)
            if isinstance(protocol, GatewayProtocol) and protocol.state == protocol.STATE_OPEN
        )

    # -- what Daphne calls --

    def listen_success(self, port: Any) -> Any:
        super().listen_success(port)
        # Daphne would leave nothing for `stop_listening` to stop.
        return port

    def protocol_connected(self, protocol: Any) -> None:
        if isinstance(protocol, GatewayProtocol):
            self.connections[protocol] = _Connection()

    def protocol_disconnected(self, protocol: Any) -> None:
        connection = self.connections.get(protocol)
        if connection is None or connection.is_gone:
            return
        connection.is_gone = True
        if connection.task is None or connection.task.done():
            del self.connections[protocol]
        else:
            self._ends.add(connection)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Inbox:
        """Start the application for a connection, and return where its messages go."""
        inbox = Inbox(protocol.pause_reading, protocol.resume_reading)
        scope.setdefault("asgi", {"version": "3.0"})
        scope["extensions"] = {"websocket.http.response": {}}
        if protocol.can_be_fast:
            scope["extensions"][EXTENSION] = {"wire": protocol}
        connection = self.connections[protocol]
        connection.task = asyncio.get_running_loop().create_task(
            self.application(scope, inbox.get, partial(self.handle_reply, protocol))
        )
        connection.task.add_done_callback(partial(self._ended, protocol, connection))
        return inbox

    async def handle_reply(self, protocol: GatewayProtocol, message: dict[str, Any]) -> None:
        """Be an application's `send`; it waits while a client has not taken what it got before."""
        connection = self.connections.get(protocol)
        is_gone = connection is None or connection.is_gone
        if not is_gone:
            protocol.handle_reply(message)
            await protocol.wait_for_room()
        if message["type"] == "websocket.send" and (is_gone or protocol.is_cut):
            # An application that goes on for ever must not have the event loop for itself.
            await asyncio.sleep(_GONE_SECONDS)

    def application_checker(self) -> None:
        """Do nothing: tasks tell when they end."""

    def timeout_checker(self) -> None:
        """Do nothing: clocks and deadlines look after all of this."""

    def kill_all_applications(self) -> Any:
        """Cancel what still runs when the reactor stops, and wait for it."""
        tasks = [c.task for c in self.connections.values() if c.task and not c.task.done()]
        for task in tasks:
            task.cancel()
        return daphne.server.defer.Deferred.fromFuture(
            asyncio.ensure_future(asyncio.wait(tasks or [asyncio.ensure_future(_nothing())]))
        )

    def _ended(
        self, protocol: GatewayProtocol, connection: _Connection, task: asyncio.Task[None]
    ) -> None:
        if connection.is_gone:
            self.connections.pop(protocol, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("A connection's application failed.", exc_info=error)
        if not connection.is_gone:
            # An application that has ended hears nothing anymore, whether it failed or not.
            if protocol.state == protocol.STATE_CONNECTING:
                protocol.turn_down(500)
            elif error is not None:
                protocol.shut(1011, "internal server error")
            else:
                protocol.shut(1000)

    def stop_listening(self) -> None:
        """Accept nobody anymore."""
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())

    def stop(self) -> None:
        """End at once; `Drain` ends gracefully."""
        if reactor.running:
            reactor.stop()
        else:
            self.abort_start = True


def _if_there[T](act: Callable[[T], None]) -> Callable[[ref[T]], None]:
    def act_on(reference: ref[T]) -> None:
        if (thing := reference()) is not None:
            act(thing)

    return act_on


def _kill(connection: _Connection) -> None:
    if connection.task is not None and not connection.task.done():
        logger.warning("A connection's application did not end in time and was cancelled.")
        connection.task.cancel()


async def _nothing() -> None:
    return None

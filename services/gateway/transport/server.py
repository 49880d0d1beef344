"""The server: Daphne's, with connections, clocks and endings kept by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any

import daphne.server
from autobahn.websocket import protocol as autobahn_protocol
from twisted.internet import reactor, tcp, unix

from services.gateway.transport.capacity import Capacity
from services.gateway.transport.clocks import Clocks
from services.gateway.transport.deadlines import Deadlines
from services.gateway.transport.http import HandshakeFactory
from services.gateway.transport.inbox import Inbox
from services.gateway.transport.protocol import GatewayFactory, GatewayProtocol
from services.gateway.transport.running import Running
from services.gateway.transport.sockets import GatewaySocket, GatewayUnixSocket
from services.gateway.transport.wire import EXTENSION
from shared.telemetry import metrics

__all__ = ["GatewayServer"]

logger = logging.getLogger(__name__)

# How long it takes to send to a client that is gone.
_GONE_SECONDS = 0.05
# For an application whose connection is gone.
_END_SECONDS = 10.0
# For those that still run when the server ends, and for what it puts away then.
_LAST_SECONDS = 2.0


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
        stall_seconds: float = 10.0,
        pause_seconds: float = 60.0,
        limit: int | None = None,
        at_end: Callable[[], Awaitable[None]] | None = None,
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
            stall_seconds: how long bytes may wait for a peer that takes none.
            pause_seconds: how long an application may take nothing while its client has to wait.
            limit: of connections that are open at once; None for as many as the system allows.
            at_end: awaited for 2 s at most when all applications have ended.
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
        self.is_stopping = False
        self._at_end = at_end
        self.connections: dict[Any, Running] = {}
        self.capacity = Capacity(limit)
        self._proxies = [ip_network(each) for each in proxies]
        self.clocks = Clocks(
            ping_seconds=ping_seconds,
            pong_seconds=pong_seconds,
            header_seconds=header_seconds,
            stall_seconds=stall_seconds,
            pause_seconds=pause_seconds,
        )
        self._ends: Deadlines[Running] = Deadlines(_END_SECONDS, Running.end)

    def unsent(self) -> int:
        """Return how many bytes for clients wait in user space; from any thread."""
        # Whoever has some is watched, whether or not it takes them.
        return sum(p.unsent() for p in self.clocks.stalls if p.transport and p.transport.connected)

    def run(self) -> None:
        """Serve until stopped; what Daphne and its libraries make are our classes from here on."""
        metrics.SEND_QUEUE_BYTES.set_function(self.unsent)
        metrics.CONNECTIONS_LIMIT.set(self.capacity.limit or 0)
        tcp.Port.transport = GatewaySocket
        unix.Port.transport = GatewayUnixSocket
        daphne.server.WebSocketFactory = GatewayFactory
        daphne.server.HTTPFactory = HandshakeFactory
        # A third of an accept's time, for the text of a message that nobody logs.
        autobahn_protocol.pformat = lambda *_: ""  # type: ignore[attr-defined]
        super().run()

    def trusts(self, peer: Any) -> bool:
        """Tell whether a peer is one of our proxies; a unix socket's always is."""
        host = getattr(peer, "host", None)
        if host is None:
            return True
        address = ip_address(host)
        # Where IPv6 is listened to for both.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._proxies)

    @property
    def refusal(self) -> str | None:
        """Why no handshake is accepted now, in the words of metrics; None if it is."""
        if self.is_draining:
            return "draining"
        return "capacity" if self.capacity.is_full else None

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
            self.connections[protocol] = Running()
            self.capacity.open += 1

    def protocol_disconnected(self, protocol: Any) -> None:
        connection = self.connections.get(protocol)
        if connection is None or connection.is_gone:
            return
        connection.is_gone = True
        self.capacity.open -= 1
        if connection.has_ended:
            del self.connections[protocol]
        else:
            self._ends.add(connection)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Inbox:
        """Start the application for a connection, and return where its messages go."""
        loop = asyncio.get_running_loop()
        inbox = Inbox(protocol.pause_reading, protocol.resume_reading)
        scope.setdefault("asgi", {"version": "3.0"})
        wire = {"wire": protocol} if protocol.can_be_fast else {}
        scope["extensions"] = {"websocket.http.response": {}, EXTENSION: wire}
        connection = self.connections[protocol]
        connection.task = loop.create_task(
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

    def cancel_stuck(self, protocol: GatewayProtocol) -> None:
        """End an application that takes nothing of what its client sends."""
        if (connection := self.connections.get(protocol)) is not None:
            connection.end_stuck(self.clocks.pause_seconds)

    def application_checker(self) -> None:
        """Do nothing: tasks tell when they end."""

    def timeout_checker(self) -> None:
        """Do nothing: clocks and deadlines look after all of this."""

    def kill_all_applications(self) -> Any:
        """Cancel what still runs when the reactor stops, and wait for it, though not for ever."""
        return daphne.server.defer.Deferred.fromFuture(asyncio.ensure_future(self._put_away()))

    async def _put_away(self) -> None:
        tasks = [c.task for c in self.connections.values() if c.task and not c.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=_LAST_SECONDS)
            if left:
                logger.warning("%d applications did not end when they were cancelled.", len(left))
        if self._at_end is not None:
            try:
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._at_end()
            except Exception:
                logger.exception("What the gateway holds could not be put away.")

    def _ended(
        self, protocol: GatewayProtocol, connection: Running, task: asyncio.Task[None]
    ) -> None:
        # Kept, it would hold what the application was for until a deadline has passed.
        connection.task = None
        if connection.is_gone:
            self.connections.pop(protocol, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("A connection's application failed.", exc_info=error)
        if not connection.is_gone:
            # An application that has ended hears nothing anymore, whether it failed or not.
            if protocol.state == protocol.STATE_CONNECTING:
                protocol.turn_down(500)
            elif self.is_stopping:
                protocol.shut(1012, "restart: connect again")
            elif error is not None or task.cancelled():
                protocol.shut(1011, "internal server error")
            else:
                protocol.shut(1000)

    def stop_listening(self) -> None:
        """Accept nobody anymore."""
        for listener in self.listeners:
            listener.addCallback(lambda port: port.stopListening())

    def stop(self) -> None:
        """End at once; `Drain` ends gracefully."""
        if self.is_stopping:
            return
        self.is_stopping = True
        if reactor.running:
            reactor.stop()
        else:
            self.abort_start = True

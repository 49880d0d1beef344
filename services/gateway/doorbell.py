"""
The doorbell: the gateway's one member of the channel layer, and the watch over its hearing.

channels-rabbitmq can go deaf for good while everything looks healthy. So the gateway sends itself
a probe through the broker, on a connection of its own: when the broker confirms probes and the
layer does not hear them, the layer is replaced by a new one. Nothing here awaits a socket or a
query, no layer call is ever cancelled or timed out but `receive`, which may be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channels_rabbitmq.core import RabbitmqChannelLayer

from shared.broker.seals import opened
from shared.broker.sender import Failure, Sender, SendFailed
from shared.broker.topology import BELLS_GROUP, gateway_group
from shared.broker.wire import (
    FanOut,
    MalformedBell,
    Published,
    encode_control,
    read_bell,
    read_fan_out,
)
from shared.telemetry import metrics

__all__ = ["Doorbell"]

logger = logging.getLogger(__name__)

_PROBE = "gateway.probe"
_PROBE_SECONDS = 0.5
# Confirmed but unheard: the layer needs about a second to come back by itself.
_DEAF_AFTER_PROBES = 4
_MOST_PATIENCE = 16
# For readiness: longer than one replacement takes.
_DEAF_SECONDS = 5.0
_HOPELESS_SECONDS = 60
_NOT_YET = "not connected yet"
# Whoever has another secret, or none, must not fill the log.
_MALFORMED_SECONDS = 60.0


class _NotCancelled(logging.Filter):
    """Keeps what is no error from the log: that a consumer was cancelled, which is how we end."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


logging.getLogger("carehare._consume_channel").addFilter(_NotCancelled())


class Doorbell:
    """Hears bells and hands their publications on, in the event loop."""

    def __init__(
        self,
        url: str,
        gateway_id: str,
        on_publication: Callable[[Published], None],
        on_fan_out: Callable[[FanOut], None],
        on_back: Callable[[], None],
    ) -> None:
        """
        Take where to listen and whom to tell.

        Args:
            url: the broker.
            gateway_id: this gateway's name on it.
            on_publication: called for each publication of a bell.
            on_fan_out: called for each bell that is one text to many channels.
            on_back: called when bells are heard again after a time without.
        """
        self._url = url
        self._group = gateway_group(gateway_id)
        self._on_publication = on_publication
        self._on_fan_out = on_fan_out
        self._on_back = on_back
        self._sender = Sender(url)
        self._probe_body = encode_control(self._group, _PROBE, {})
        self._probe_thread = ThreadPoolExecutor(1, thread_name_prefix="probe")
        # The layer now listening and the task that listens to it.
        self._layer: RabbitmqChannelLayer | None = None
        self._listening: asyncio.Task[None] | None = None
        # Probes that the broker confirmed since the layer last heard one.
        self._unheard = 0
        # How many unheard probes the layer of now is given.
        self._patience = _DEAF_AFTER_PROBES
        # Whether bells reach this gateway now, and since when they do not.
        self.connected = False
        # True from the first time on.
        self._was_connected = False
        self._silent_since = time.monotonic()
        # Since when the broker confirms probes.
        self._answers_since = time.monotonic()
        # Why the broker is away, or None while it confirms.
        self.outage: str | None = _NOT_YET
        # When the log was last told of what is no bell.
        self._told_malformed = -math.inf

    @property
    def deaf(self) -> bool:
        """Whether bells have been missed for seconds although the broker is there."""
        return self._deaf_for() > _DEAF_SECONDS

    @property
    def hopeless(self) -> bool:
        """Whether replacing the layer has not helped for a minute: only a restart may."""
        return self._deaf_for() > _HOPELESS_SECONDS

    def _deaf_for(self) -> float:
        """Return for how long the broker has answered and no bell was heard, in seconds."""
        if self.connected or self.outage is not None:
            return 0.0
        return time.monotonic() - max(self._silent_since, self._answers_since)

    async def run(self) -> None:
        """Listen and watch, for ever; when started again, with a new layer."""
        self._abandon()
        self._unheard = 0
        self._listen()
        while True:
            await asyncio.sleep(_PROBE_SECONDS)
            # Counted before it is sent: it may be heard before the broker's confirm is.
            self._unheard += 1
            if await self._probe():
                if self._unheard > 1:
                    self._set_connected(False)
                if self._unheard >= self._patience:
                    self._replace()
            else:
                self._set_connected(False)
                # The layer reconnects by itself when the broker is back; judge it from then on.
                self._unheard = 0

    def _listen(self) -> None:
        layer = RabbitmqChannelLayer(
            host=self._url, local_capacity=1_000, remote_capacity=10_000, expiry=10, local_expiry=10
        )
        self._layer = layer
        self._listening = asyncio.create_task(self._hear(layer))

    async def _hear(self, layer: RabbitmqChannelLayer) -> None:
        channel = await layer.new_channel()
        await layer.group_add(BELLS_GROUP, channel)
        await layer.group_add(self._group, channel)
        while True:
            event = await layer.receive(channel)
            try:
                self._take(opened(event))
            except MalformedBell as error:
                metrics.BROKER_MESSAGES_RECEIVED.labels(kind="malformed").inc()
                if time.monotonic() - self._told_malformed > _MALFORMED_SECONDS:
                    self._told_malformed = time.monotonic()
                    logger.warning("Not a bell: %s", error)
            except Exception:
                # A publication that cannot be delivered must not end the hearing of all others.
                logger.exception("A bell could not be delivered.")

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "bell.ring":
                metrics.BROKER_MESSAGES_RECEIVED.labels(kind="bell").inc()
                # Hearing, though probes may be far behind in a long queue.
                self._unheard = 0
                for publication in read_bell(event):
                    self._on_publication(publication)
            case "bell.fan_out":
                metrics.BROKER_MESSAGES_RECEIVED.labels(kind="fan_out").inc()
                self._unheard = 0
                self._on_fan_out(read_fan_out(event))
            case "gateway.probe":
                metrics.BROKER_MESSAGES_RECEIVED.labels(kind="probe").inc()
                self._unheard = 0
                self._patience = _DEAF_AFTER_PROBES
                self._set_connected(True)
            case other:
                raise MalformedBell(f"unknown type {other!r:.40}")

    async def _probe(self) -> bool:
        """Send a probe; return whether the broker has taken it."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                self._probe_thread, self._sender.send, self._group, self._probe_body
            )
        except SendFailed as error:
            if error.failure is not Failure.NACKED:
                return self._away(str(error))
        except Exception as error:
            # Whatever the client library makes of a cut connection must not end this watch.
            return self._away(repr(error))
        if self.outage is not None:
            logger.info("RabbitMQ answers.")
            self.outage = None
            self._answers_since = time.monotonic()
        return True

    def _away(self, cause: str) -> bool:
        if self.outage in (None, _NOT_YET):
            logger.warning("RabbitMQ is away (%s); the log delivers until it is back.", cause)
        self.outage = cause
        return False

    def _set_connected(self, connected: bool) -> None:
        if connected and not self.connected:
            self._on_back()
            metrics.BROKER_RECONNECTS.inc(self._was_connected)
            self._was_connected = True
        if self.connected and not connected:
            self._silent_since = time.monotonic()
        self.connected = connected
        metrics.BROKER_CONNECTED.set(connected)

    def _replace(self) -> None:
        logger.warning("The channel layer is deaf: it is replaced.")
        metrics.LAYER_REPLACEMENTS.inc()
        self._unheard = 0
        # The next one gets more time: one that is abandoned while it connects leaks its socket.
        self._patience = min(2 * self._patience, _MOST_PATIENCE)
        self._abandon()
        self._listen()

    def _abandon(self) -> None:
        """Drop the layer without awaiting its `close`, which may wait for a dead peer for ever."""
        layer, listening = self._layer, self._listening
        owned = [getattr(layer, name, None) for name in ("_reconnect_forever_task", "_expire_task")]
        for task in (listening, *owned):
            if task is not None and task.done() and not task.cancelled():
                # Why it died. Asked for here, or asyncio would report it as never retrieved.
                logger.info("The deaf layer had ended: %r", task.exception())
            elif task is not None:
                task.cancel()
        connected = getattr(layer, "_carehare_connection", None)
        if connected is not None and connected.done() and not connected.cancelled():
            with contextlib.suppress(Exception):
                connected.result()._protocol._transport.abort()

    def close(self) -> None:
        """Stop hearing; the broker drops the queue with the connection."""
        self._abandon()
        self._probe_thread.submit(self._sender.close)
        self._probe_thread.shutdown(wait=False)

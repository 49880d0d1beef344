"""The parts of one gateway process, put together and kept running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import cache

from django.conf import settings
from prometheus_client import REGISTRY

from services.gateway.admission import Admission
from services.gateway.arrivals import Arrivals
from services.gateway.closecodes import COUNTED_CODES
from services.gateway.commits import Commits
from services.gateway.database import DatabaseThreads
from services.gateway.doorbell import Doorbell
from services.gateway.logins import Logins
from services.gateway.obedience import Obedience
from services.gateway.presence import Presence
from services.gateway.repair import Repair
from services.gateway.reporting import Reporter
from services.gateway.revocations import Revocations
from services.gateway.tellings import Tellings
from shared.broker.wire import Published
from shared.presence import changes
from shared.realtime import namespaces
from shared.realtime.namespaces import namespace_of
from shared.telemetry import build, health, metrics, pools

__all__ = ["Gateway", "the_gateway"]

logger = logging.getLogger(__name__)

_LAG_SECONDS = 0.5
_STUCK_SECONDS = 15.0
_RESTART_SECONDS = 1.0
_GOODBYE_SECONDS = 1.0


class Gateway:
    """Hub, repair, revocations and doorbell of this process, with what watches over them."""

    def __init__(self) -> None:
        self.admission = Admission()
        self.database = DatabaseThreads()
        self.arrivals = Arrivals(self.database)
        self.doorbell: Doorbell | None = None
        self.repair = Repair(self.database, bells_are_down=self._bells_are_down)
        self.commits = Commits(self.database, self.repair.hub.accept)
        self.revocations = Revocations(self.repair, self.database)
        self.obedience = Obedience(
            self.repair, self.database, self.revocations, self._told_to_drain
        )
        self.logins = Logins(self.database, self.revocations)
        self.tellings = Tellings()
        self.presence = Presence(
            self.database,
            settings.CARILLON_GATEWAY_ID,
            is_told=lambda channel: namespace_of(channel).join_leave,
            on_join=self.tellings.join,
            on_leave=self.tellings.leave,
            on_count=lambda *told: self.repair.hub.accept(changes.count(*told)),
        )
        if settings.BROKER_URL:
            self.doorbell = Doorbell(
                settings.BROKER_URL,
                settings.CARILLON_GATEWAY_ID,
                on_publication=self.hear,
                on_fan_out=self.repair.hub.accept_fan_out,
                on_back=self.repair.check_soon,
            )
        # How to send everybody away, and whether that goes on; only our own server can.
        self._drain: Callable[[], None] | None = None
        self._is_draining: Callable[[], bool] = lambda: False
        # Whether there are so many connections that new ones had better go elsewhere.
        self._crowding: Callable[[], str | None] = lambda: None
        self._tasks: list[asyncio.Task[None]] = []
        # When the event loop last came round; the health check reads it from another thread.
        self._beat = time.monotonic()

    def start(self) -> None:
        """Start the tasks in the running event loop; a second call changes nothing."""
        if self._tasks:
            return
        parts = [self._watch_loop, self.database.watch, self.repair.run]
        parts += [self.revocations.run, self.obedience.run, self.logins.run, self.presence.run]
        parts.append(Reporter(self.database, self.presence.incarnation).run)
        if self.doorbell is not None:
            parts.append(self.doorbell.run)
        self._tasks = [asyncio.create_task(_keep_running(part)) for part in parts]

    def on_drain(self, start: Callable[[], None], is_running: Callable[[], bool]) -> None:
        """Take how the server is drained, and how to know that it is."""
        self._drain, self._is_draining = start, is_running

    def _told_to_drain(self, incarnation: str) -> None:
        """Obey an operator who drains a gateway through the log; the others hear it, too."""
        if incarnation != self.presence.incarnation:
            return
        if self._drain is None:
            logger.warning("Told to drain, which only a gateway's own server can.")
            return
        logger.info("Told to drain.")
        self._drain()

    def on_crowding(self, crowding: Callable[[], str | None]) -> None:
        """Take how to know that there is hardly room for more connections, from any thread."""
        self._crowding = crowding

    def serve_internal(self) -> None:
        """Serve metrics, health and drain from a thread of their own; in the event loop."""
        loop, drain = asyncio.get_running_loop(), self._drain
        build.announce("gateway")
        kinds = namespaces.names()
        metrics.start_common_at_zero(settings.CARILLON_SERVICE, kinds)
        metrics.start_gateway_at_zero(kinds, sorted(COUNTED_CODES))
        pools.watch()
        health.serve(
            settings.CARILLON_INTERNAL_HOST,
            settings.CARILLON_INTERNAL_PORT,
            registry=lambda: REGISTRY,
            live={"event_loop": self._stuck, "layer": self._hopeless},
            ready={
                "event_loop": self._stuck,
                "database": lambda: self.database.outage,
                "layer": self._deaf,
                "connections": lambda: self._crowding(),
                "drain": lambda: "clients are sent away" if self._is_draining() else None,
            },
            actions={"/drain": lambda: loop.call_soon_threadsafe(drain)} if drain else {},
        )

    def hear(self, publication: Published) -> None:
        """Take a publication of a bell."""
        channel, _, about = publication.channel.partition(":")
        if channel == changes.PRESENCE and (user := changes.user_who_joined(publication)):
            self.presence.heard_join(about, user)
        self.repair.hub.accept(publication)

    async def stop(self) -> None:
        """End all tasks and let go of the broker and the database threads."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            # Its lease ends by itself where it cannot be given up now.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self.presence.end()
        self._tasks = []
        if self.doorbell is not None:
            self.doorbell.close()
        self.database.close()

    def _bells_are_down(self) -> bool:
        return self.doorbell is not None and not self.doorbell.connected

    def _stuck(self) -> str | None:
        silent = time.monotonic() - self._beat
        return f"has not come round for {silent:.0f} s" if silent > _STUCK_SECONDS else None

    def _deaf(self) -> str | None:
        # A broker that is away from all leaves the gateway ready: the log still delivers.
        if self.doorbell is not None and self.doorbell.deaf:
            return "the channel layer hears nothing although the broker answers"
        return None

    def _hopeless(self) -> str | None:
        if self.doorbell is not None and self.doorbell.hopeless:
            return "the channel layer was replaced again and again and stays deaf"
        return None

    async def _watch_loop(self) -> None:
        while True:
            due = time.monotonic() + _LAG_SECONDS
            await asyncio.sleep(_LAG_SECONDS)
            self._beat = time.monotonic()
            metrics.EVENT_LOOP_LAG.observe(max(0.0, self._beat - due))


@cache
def the_gateway() -> Gateway:
    """Return this process's gateway."""
    return Gateway()


async def _keep_running(part: Callable[[], Awaitable[None]]) -> None:
    """Run a part of the gateway for ever; an error that nobody foresaw costs it a second."""
    while True:
        try:
            await part()
        except Exception:
            logger.exception("A part of the gateway has failed; it starts again.")
            await asyncio.sleep(_RESTART_SECONDS)
        else:
            return

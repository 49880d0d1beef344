"""
Controls: what servers want done with live connections, and that it is done here.

`controls:all` is a standing channel; every gateway hears it and obeys for the connections that it
has. So no other gateway ends what this one should have ended. Where it cannot obey, the connections
that may be meant are told to come back: then they are asked again who they are, and each of their
channels whether it is for them. It cannot obey a control of a newer version, and none that it
missed because the stream could not be continued.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any

from services.gateway.database import DatabaseThreads
from services.gateway.dismissals import Dismissals
from services.gateway.rechecks import Revocable
from services.gateway.repair import Repair
from services.gateway.revocations import Revocations
from services.gateway.standing import StandingMember
from shared.presence.clients import account_of
from shared.realtime.controls import CONTROLS, Control, Drain, MalformedControl, decode

__all__ = ["Obedience"]

logger = logging.getLogger(__name__)

# Revocations, which are then read as well, have a better word for those who are to stay away.
_GRACE_SECONDS = 1.0


class Obedience(StandingMember):
    """The member of `controls:all`."""

    channel = CONTROLS

    def __init__(
        self,
        repair: Repair,
        database: DatabaseThreads,
        revocations: Revocations,
        on_drain: Callable[[str], None],
    ) -> None:
        """
        Take what hearing needs, and who obeys.

        Args:
            repair: where channels are heard.
            database: this gateway's database threads.
            revocations: knows each user's connections.
            on_drain: called with the incarnation of a gateway that is to end, whichever it is.
        """
        super().__init__(repair, database)
        self._on_drain = on_drain
        self._revocations = revocations
        self._dismissals = Dismissals()
        # From then on a control that was not heard was missed.
        self._has_begun = False

    async def run(self) -> None:
        """Obey, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.attend())
            tasks.create_task(self._dismissals.run())

    def take(self, message: dict[str, Any]) -> None:
        try:
            control = decode(json.dumps(message))
        except MalformedControl as error:
            self._fail(error)
        else:
            self._obey(control)

    def begin(self) -> None:
        if self._has_begun:
            self.lose_place()
        self._has_begun = True

    def lose_place(self) -> None:
        # Whoever comes from now on has missed nothing.
        everybody = list(self._revocations.everybody())
        random.shuffle(everybody)
        logger.warning("Controls may have been missed: %d are told to come back.", len(everybody))
        loop = asyncio.get_running_loop()
        loop.call_later(_GRACE_SECONDS, self._dismissals.add, everybody)

    def _fail(self, error: MalformedControl) -> None:
        logger.warning("A control is not understood here: %s", error)
        if error.user is None:
            # It may be about anybody.
            self.lose_place()
        else:
            self._dismissals.add(self._connections_of(error.user))

    def _obey(self, control: Control) -> None:
        if isinstance(control, Drain):
            self._on_drain(control.gateway)
            return
        failed: dict[Revocable, Exception] = {}
        for connection in self._connections_of(control.user):
            try:
                connection.obey(control)
            except Exception as error:
                # A mistake of ours spares neither it nor the others.
                failed[connection] = error
        if failed:
            words = "A control could not be obeyed for %d connections, which are to come back."
            logger.error(words, len(failed), exc_info=next(iter(failed.values())))
            self._dismissals.add(failed)

    def _connections_of(self, user: str) -> Iterable[Revocable]:
        account = account_of(user)
        # Nobody is here who is neither an account nor nobody.
        return () if account is None and user else self._revocations.of(account)

"""
Controls: what servers want done with live connections, and that it is done here.

`controls:all` is a standing channel; every gateway hears it and obeys for the connections that it
has. A control that was missed where the stream could not be continued is not made up for: it was
for connections that were there then.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from services.gateway.database import DatabaseThreads
from services.gateway.repair import Repair
from services.gateway.revocations import Revocations
from services.gateway.standing import StandingMember
from shared.presence.clients import account_of
from shared.realtime.controls import CONTROLS, MalformedControl, decode

__all__ = ["Obedience"]

logger = logging.getLogger(__name__)


class Obedience(StandingMember):
    """The member of `controls:all`."""

    channel = CONTROLS

    def __init__(self, repair: Repair, database: DatabaseThreads, revocations: Revocations) -> None:
        """Take what hearing needs, and who knows each user's connections."""
        super().__init__(repair, database)
        self._revocations = revocations

    async def run(self) -> None:
        """Obey, for ever."""
        await self.attend()

    def take(self, message: dict[str, Any]) -> None:
        try:
            control = decode(json.dumps(message))
        except MalformedControl as error:
            # Of a newer version: its own gateways understand it.
            logger.warning("A control is not understood here: %s", error)
            return
        account = account_of(control.user)
        if account is None:
            # Nobody is here who is no account.
            return
        for connection in self._revocations.of(account):
            connection.obey(control)

    def lose_place(self) -> None:
        pass

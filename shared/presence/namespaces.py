"""`presence:<channel>`: who comes to a channel and who goes, for gateways alone."""

from __future__ import annotations

from shared.presence.changes import PRESENCE
from shared.realtime.namespaces import Namespace, register

__all__ = ["PresenceNamespace"]


@register
class PresenceNamespace(Namespace):
    """
    Keeps no history: whoever must be sure asks for presence.

    No client names such a channel, because a topic has no colon. What they are told comes in the
    channel that it is about.
    """

    name = PRESENCE
    for_clients = False

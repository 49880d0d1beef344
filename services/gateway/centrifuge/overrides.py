"""
Overrides: what a token or a server wants of one subscription instead of its namespace's options.

They take away what the namespace has, or give a client unasked what it would have to ask for. What
the namespace does not have nobody gives: no gateway keeps it. That is said in the log, once.
"""

from __future__ import annotations

import logging
from functools import cache

from shared.realtime.controls import Override
from shared.realtime.namespaces import namespace_of
from shared.tokens.grants import Override as TokenOverride

__all__ = ["hides", "tells"]

logger = logging.getLogger(__name__)


def tells(channel: str, override: Override | TokenOverride, *, is_asked: bool = False) -> bool:
    """
    Say whether a client hears who comes to a channel and goes.

    Args:
        channel: the channel.
        override: of this subscription.
        is_asked: whether the client wants to.
    """
    namespace = namespace_of(channel)
    if override.join_leave and not namespace.join_leave:
        _note(namespace.name, "join_leave")
    if override.join_leave is False or not namespace.join_leave:
        return False
    return bool(is_asked or override.join_leave or override.force_push_join_leave)


def hides(channel: str, override: Override | TokenOverride) -> bool:
    """Say whether a client is not shown in a channel that it hears."""
    namespace = namespace_of(channel)
    if override.presence and not namespace.presence:
        _note(namespace.name, "presence")
    return override.presence is False


@cache
def _note(namespace: str, option: str) -> None:
    logger.warning("An override wants %s, which namespace %r does not have.", option, namespace)

"""
The test kit: what clients hear and may do, tested inside Django's `TestCase`.

    from shared.testing import RealtimeClient, assert_publishes

There is no gateway, no broker and no event loop. What is published is heard as soon as its
transaction would have been committed, in the order in which it was published; what a returning
client has missed is read from the log, by the function that the gateway reads it with. Permissions,
hooks, methods, controls and revocations are the real ones.

Not for production code: nothing but tests imports this package.
"""

from __future__ import annotations

from shared.testing.assertions import assert_publishes
from shared.testing.cases import RealtimeAssertions, RealtimeTestCase
from shared.testing.client import RealtimeClient
from shared.testing.exceptions import (
    CommandRefused,
    Disconnected,
    MadeTooEarly,
    NeverSubscribed,
)
from shared.testing.subscriptions import Resumed, Unsubscribed
from shared.testing.together import publish_together

__all__ = [
    "CommandRefused",
    "Disconnected",
    "MadeTooEarly",
    "NeverSubscribed",
    "RealtimeAssertions",
    "RealtimeClient",
    "RealtimeTestCase",
    "Resumed",
    "Unsubscribed",
    "assert_publishes",
    "publish_together",
]

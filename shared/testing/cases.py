"""The same for those who write `unittest` classes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from django.test import TestCase

from shared.testing.assertions import assert_publishes

__all__ = ["RealtimeAssertions", "RealtimeTestCase"]


class RealtimeAssertions:
    """For test cases of whatever base."""

    def assertPublishes(  # noqa: N802 - as unittest names its own
        self, channel: str, data: Mapping[str, Any] | None = None, *, times: int = 1
    ) -> AbstractContextManager[list[dict[str, Any]]]:
        """Fail unless the block publishes this to the channel; see `assert_publishes`."""
        return assert_publishes(channel, data, times=times)


class RealtimeTestCase(RealtimeAssertions, TestCase):
    """Django's `TestCase` with these assertions."""

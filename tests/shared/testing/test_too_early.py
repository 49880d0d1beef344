"""Clients that were made before the test, which would hear nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import TestCase

from shared.accounts.models import User
from shared.testing import MadeTooEarly, RealtimeClient, assert_publishes
from tests.team.actions import do_vote

BEST = "poll:best"


class TestSetUpTestData(TestCase):
    """Django gives each test a copy of what is made there."""

    client_of_all: RealtimeClient
    kept: dict[str, Any]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.alice = User.objects.create_user("alice")
        client = RealtimeClient(cls.alice)
        client.subscribe(BEST)
        do_vote(cls.alice, "best", "yes")
        # It is heard where it was made.
        assert len(client.received(BEST)) == 1
        cls.client_of_all = client

    def test_copied(self) -> None:
        """There is no copy of a connection; the error says what to do."""
        with pytest.raises(MadeTooEarly, match="make it in setUp or in the test itself"):
            self.client_of_all.received(BEST)

    def test_made_here(self) -> None:
        """A client of the test hears the test."""
        client = RealtimeClient(self.alice)
        client.subscribe(BEST)
        with assert_publishes(BEST):
            do_vote(self.alice, "best", "no")
        assert [each["choice"] for each in client.received(BEST)] == ["no"]


class TestSetUpClass(TestCase):
    """What is made there is not copied."""

    made: RealtimeClient

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.alice = User.objects.create_user("alice")
        cls.made = RealtimeClient(cls.alice)
        cls.made.subscribe(BEST)

    def test_deaf(self) -> None:
        """All would look as if it were in an open transaction, so it says so instead."""
        do_vote(self.alice, "best", "yes")
        for use in (
            lambda: self.made.received(BEST),
            lambda: self.made.publish(BEST, {"choice": "yes"}),
            lambda: self.made.disconnected,
        ):
            with pytest.raises(MadeTooEarly):
                use()

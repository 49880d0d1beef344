"""`assert_publishes`, and what it says when it fails."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
from django.db import transaction

from shared.accounts.models import User
from shared.realtime.exceptions import UnknownNamespace
from shared.testing import RealtimeTestCase, assert_publishes
from tests.team.actions import do_vote
from tests.team.namespaces import TickNamespace

BEST = "poll:best"
YES, NO = (f'{{"type":"vote","choice":"{choice}","by":"alice"}}' for choice in ("yes", "no"))


def do_vote_in_vain(user: User) -> None:
    with transaction.atomic():
        do_vote(user, "best", "yes")
        transaction.set_rollback(True)


class TestCases(RealtimeTestCase):
    """In a class of Django's own kind."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.alice = User.objects.create_user("alice")
        do_vote(cls.alice, "best", "yes")

    def test_publishes(self) -> None:
        """What a block publishes, and nothing that was before."""
        with self.assertPublishes(BEST, {"choice": "no", "by": "alice"}):
            do_vote(self.alice, "best", "no")

    def test_fails(self) -> None:
        """A test that expects what does not happen fails."""
        with pytest.raises(AssertionError), self.assertPublishes(BEST):
            pass


@pytest.mark.django_db
class TestPassing:
    def test_members_among_others(self, alice: User) -> None:
        """Only what is named counts; its values may be whatever is equal."""
        with assert_publishes(BEST, {"choice": "yes", "by": ANY}) as found:
            do_vote(alice, "best", "yes")
            do_vote(alice, "best", "no")
        assert found == [{"type": "vote", "choice": "yes", "by": "alice"}]

    def test_whatever_it_is(self, alice: User) -> None:
        """Without data, each publication of the channel counts."""
        with assert_publishes(BEST, times=2) as found:
            do_vote(alice, "best", "yes")
            do_vote(alice, "other", "yes")
            do_vote(alice, "best", "no")
        assert [data["choice"] for data in found] == ["yes", "no"]

    def test_never(self, alice: User) -> None:
        """Zero times: not this, not there, or rolled back."""
        with assert_publishes(BEST, {"choice": "yes"}, times=0) as found:
            do_vote(alice, "best", "no")
            do_vote(alice, "other", "yes")
            do_vote_in_vain(alice)
        assert found == []

    def test_without_history(self, alice: User) -> None:
        """Of a channel that keeps nothing, too."""
        with assert_publishes("tick:x", {"n": 1}):
            TickNamespace().on_publish(alice, "tick:x", {"n": 1})

    def test_in_each_other(self, alice: User) -> None:
        """Each block counts what is published inside of it."""
        with assert_publishes(BEST, times=2), assert_publishes("poll:other", times=0):
            do_vote(alice, "best", "yes")
            with assert_publishes(BEST, times=1):
                do_vote(alice, "best", "yes")

    def test_error_in_the_block(self, alice: User) -> None:
        """It is what the test is told of, not what was not published for its sake."""
        with pytest.raises(ZeroDivisionError), assert_publishes(BEST):
            do_vote(alice, "best", str(1 / 0))


@pytest.mark.django_db
class TestFailing:
    def test_other_data(self, alice: User) -> None:
        """The text shows what was published there, with what is wrong of each, and elsewhere."""

        def vote() -> None:
            do_vote(alice, "best", "no")
            do_vote(alice, "best", "yes")
            do_vote(alice, "other", "yes")
            do_vote_in_vain(alice)

        with (
            pytest.raises(AssertionError) as failure,
            assert_publishes(BEST, {"choice": "yes", "weight": 2}),
        ):
            vote()
        assert str(failure.value).splitlines() == [
            "Expected 1 publication to poll:best with {'choice': 'yes', 'weight': 2}, found none.",
            "Published to poll:best:",
            f"  {NO}  <- 'choice' is 'no', not 'yes'; 'weight' is missing",
            f"  {YES}  <- 'weight' is missing",
            "Published there and rolled back, or not committed:",
            f"  {YES}  <- 'weight' is missing",
            "Published elsewhere:",
            f"  poll:other {YES}",
        ]

    def test_nothing(self) -> None:
        """Silence is told as such."""
        with pytest.raises(AssertionError) as failure, assert_publishes(BEST, times=3):
            pass
        assert str(failure.value) == (
            "Expected 3 publications to poll:best, found none.\nNothing was published."
        )

    def test_too_many(self, alice: User) -> None:
        """A long list is cut, and so is a long publication."""

        def vote() -> None:
            for number in range(15):
                do_vote(alice, "best", "y" * 1_000 + str(number))

        with pytest.raises(AssertionError) as failure, assert_publishes(BEST, times=0):
            vote()
        first, title, *shown, last = str(failure.value).splitlines()
        assert first == "Expected no publications to poll:best, found 15."
        assert title == "Published to poll:best:"
        assert (len(shown), last) == (10, "  and 5 more")
        assert all(len(line) < 400 for line in shown)

    def test_misspelt_channel(self) -> None:
        """A channel that cannot be is refused, also where nothing is expected of it."""
        with pytest.raises(UnknownNamespace), assert_publishes("pol:best", times=0):
            pass


@pytest.mark.django_db(transaction=True)
def test_real_commits(alice: User) -> None:
    """Where transactions are real, a commit is what counts."""
    with pytest.raises(AssertionError, match="rolled back"), assert_publishes(BEST):
        do_vote_in_vain(alice)
    with assert_publishes(BEST), assert_publishes("tick:x", {"n": 1}):
        with transaction.atomic():
            do_vote(alice, "best", "yes")
        TickNamespace().on_publish(alice, "tick:x", {"n": 1})

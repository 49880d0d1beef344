from __future__ import annotations

import json

import pytest
from pytest_django import DjangoAssertNumQueries

from shared.broker.wire import Published
from shared.realtime import deployment
from shared.realtime.exceptions import UnrecoverablePosition
from shared.realtime.history import (
    RECOVERY_BYTES,
    RECOVERY_PUBLICATIONS,
    heads_of,
    history,
    recover,
)
from shared.realtime.models import Publication
from shared.realtime.positions import LOST, Position
from shared.realtime.publish import Draft, publish_many

pytestmark = pytest.mark.django_db
CHANNEL = "notes:a"


def fill(count: int, size: int = 1) -> Position:
    """Publish so many and return the position of the last."""
    published = publish_many(
        [Draft(CHANNEL, {"n": n, "x": "x" * size}) for n in range(1, count + 1)]
    )
    return Position(published[-1].epoch, published[-1].offset)


def offsets(publications: list[Published]) -> list[int]:
    for each in publications:
        assert json.loads(each.data)["n"] == each.offset
    return [each.offset for each in publications]


class TestHistory:
    def test_all_of_it(self) -> None:
        """Without bounds it is the whole log, oldest first, with the head's position."""
        head = fill(450)
        page = history(CHANNEL)
        assert offsets(page.publications) == list(range(1, 451))
        assert page.position == head

    def test_limits(self) -> None:
        """0 gives the position alone, n at most n."""
        head = fill(5)
        assert history(CHANNEL, limit=0).publications == []
        assert history(CHANNEL, limit=0).position == head
        assert offsets(history(CHANNEL, limit=2).publications) == [1, 2]
        assert offsets(history(CHANNEL, limit=99).publications) == [1, 2, 3, 4, 5]
        with pytest.raises(ValueError, match="limit"):
            history(CHANNEL, limit=-2)

    def test_since(self) -> None:
        """What follows a position, which itself is left out; beyond the head nothing follows."""
        epoch, _ = fill(5)
        assert offsets(history(CHANNEL, since=Position(epoch, 3)).publications) == [4, 5]
        assert offsets(history(CHANNEL, since=Position(epoch, 0), limit=1).publications) == [1]
        assert history(CHANNEL, since=Position(epoch, 5)).publications == []
        assert history(CHANNEL, since=Position(epoch, 99)).publications == []

    def test_reverse(self) -> None:
        """Newest first, from the head or from before a position."""
        epoch, _ = fill(5)
        assert offsets(history(CHANNEL, reverse=True).publications) == [5, 4, 3, 2, 1]
        assert offsets(history(CHANNEL, reverse=True, limit=2).publications) == [5, 4]
        page = history(CHANNEL, since=Position(epoch, 3), reverse=True)
        assert offsets(page.publications) == [2, 1]
        assert history(CHANNEL, since=Position(epoch, 1), reverse=True).publications == []

    def test_reverse_from_the_beginning(self) -> None:
        """Before offset 0 there is nothing to ask for."""
        epoch, _ = fill(1)
        with pytest.raises(ValueError, match="before offset 0"):
            history(CHANNEL, since=Position(epoch, 0), reverse=True)

    def test_paging(self) -> None:
        """Pages in both directions join without a hole or a repeat."""
        epoch, head = fill(23)
        seen: list[int] = []
        while page := history(CHANNEL, since=Position(epoch, len(seen)), limit=5).publications:
            seen += offsets(page)
        assert seen == list(range(1, 24))
        back: list[int] = []
        before = Position(epoch, head + 1)
        while page := history(CHANNEL, since=before, limit=5, reverse=True).publications:
            back += offsets(page)
            before = Position(epoch, back[-1])
        assert back == seen[::-1]

    def test_other_epoch(self) -> None:
        """A position of another numbering is refused, not guessed at."""
        epoch, _ = fill(2)
        with pytest.raises(UnrecoverablePosition):
            history(CHANNEL, since=Position("other-epoch", 1))
        deployment.renew()
        with pytest.raises(UnrecoverablePosition):
            history(CHANNEL, since=Position(epoch, 1))

    def test_never_published(self) -> None:
        """A channel without publications has a position, at 0."""
        page = history("notes:new")
        assert page.publications == []
        assert page.position.offset == 0
        assert history("notes:new").position == page.position


class TestRecover:
    def test_exactly_what_was_missed(self) -> None:
        """All that follows the position, and where the head is."""
        head = fill(9)
        recovery = recover(CHANNEL, Position(head.epoch, 6))
        assert (recovery.recovered, recovery.head) == (True, head)
        assert offsets(recovery.publications) == [7, 8, 9]

    def test_nothing_missed(self) -> None:
        """At the head, or without a position, it is recovered and empty."""
        head = fill(3)
        for since in (head, None):
            recovery = recover(CHANNEL, since)
            assert (recovery.recovered, recovery.head, recovery.publications) == (True, head, [])

    @pytest.mark.parametrize("offset", [4, 99, 10**15, -1])
    def test_ahead_of_the_head(self, offset: int) -> None:
        """A place where the stream has never been cannot be recovered from."""
        head = fill(3)
        recovery = recover(CHANNEL, Position(head.epoch, offset))
        assert (recovery.recovered, recovery.head, recovery.publications) == (False, head, [])

    def test_other_epoch(self) -> None:
        """Another numbering's offset says nothing, even if it fits."""
        head = fill(3)
        for since in (Position("other-epoch", 3), LOST, Position("other-epoch", 1)):
            recovery = recover(CHANNEL, since)
            assert (recovery.recovered, recovery.head, recovery.publications) == (False, head, [])

    def test_no_epoch(self) -> None:
        """It is one of whatever numbering there is: clients may know an offset alone."""
        head = fill(3)
        assert recover(CHANNEL, Position("", 3)).publications == []
        recovery = recover(CHANNEL, Position("", 1))
        assert (recovery.recovered, recovery.head) == (True, head)
        assert [each.offset for each in recovery.publications] == [2, 3]
        assert not recover(CHANNEL, Position("", 4)).recovered

    @pytest.mark.parametrize(("first", "last"), [(1, 2), (3, 3), (5, 5)])
    def test_hole(self, first: int, last: int) -> None:
        """With any of it gone, none of it is given."""
        head = fill(5)
        Publication.objects.filter(offset__gte=first, offset__lte=last).delete()
        recovery = recover(CHANNEL, Position(head.epoch, 0))
        assert (recovery.recovered, recovery.head, recovery.publications) == (False, head, [])
        if last < 5:
            assert recover(CHANNEL, Position(head.epoch, last)).recovered

    def test_too_many(self) -> None:
        """One publication over the bound is too much; the bound itself is not."""
        head = fill(RECOVERY_PUBLICATIONS + 1)
        assert not recover(CHANNEL, Position(head.epoch, 0)).recovered
        recovery = recover(CHANNEL, Position(head.epoch, 1))
        assert offsets(recovery.publications) == list(range(2, RECOVERY_PUBLICATIONS + 2))

    def test_too_large(self, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
        """Over 512 KiB nothing is given, and not all of it is even fetched."""
        size = 60_000
        fitting = RECOVERY_BYTES // (size + 20)
        head = fill(900, size)
        with django_assert_max_num_queries(3):
            recovery = recover(CHANNEL, Position(head.epoch, 0))
        assert (recovery.recovered, recovery.publications) == (False, [])
        recovery = recover(CHANNEL, Position(head.epoch, 900 - fitting))
        assert recovery.recovered
        assert len(recovery.publications) == fitting

    def test_few_queries(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        """The usual catch-up is two statements: where the stream stands, and what is missing."""
        head = fill(100)
        with django_assert_num_queries(2):
            assert recover(CHANNEL, Position(head.epoch, 1)).recovered
        with django_assert_num_queries(1):
            recover(CHANNEL, head)


def test_where_many_channels_stand(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """It is one statement; a channel that nobody has spoken in stands at its beginning."""
    head = fill(5)
    other = publish_many([Draft("notes:b", {"n": 1})])[0]
    with django_assert_num_queries(1):
        found = heads_of([CHANNEL, "notes:b"])
    assert found[CHANNEL].position == head
    assert found["notes:b"].position == Position(other.epoch, other.offset)
    assert heads_of(["notes:new"])["notes:new"].position.offset == 0
    assert heads_of([]) == {}

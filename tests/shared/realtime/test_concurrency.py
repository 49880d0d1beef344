from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.realtime.history import RECOVERY_PUBLICATIONS, recover
from shared.realtime.positions import Position
from shared.realtime.publish import Draft, publish_many
from tests.shared.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = ("notes:a", "notes:b", "notes:c", "notes:d")

# What one publisher does: transactions, each some channels in an order of its own, and whether
# it rolls back.
TRANSACTION = st.tuples(
    st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=6),
    st.sampled_from([True, True, False]),
)
PUBLISHER = st.lists(TRANSACTION, min_size=1, max_size=6)
type Publisher = list[tuple[list[str], bool]]


class RolledBack(Exception):
    pass


def publish_all(transactions: Publisher, start: threading.Barrier) -> list[tuple[str, int]]:
    """Run the transactions and return what was committed: channel and offset."""
    committed: list[tuple[str, int]] = []
    start.wait(10)
    for channels, commits in transactions:
        try:
            with transaction.atomic():
                published = publish_many([Draft(channel, {"n": 1}) for channel in channels])
                if not commits:
                    raise RolledBack
        except RolledBack:
            continue
        committed += [(each.channel, each.offset) for each in published]
    return committed


class Reader:
    """Follows all channels by recovering from where it stands, until it is told to stop."""

    def __init__(self, seed: int, begin: dict[str, Position]) -> None:
        self.at = dict(begin)
        self.read: dict[str, list[int]] = {channel: [] for channel in begin}
        self.stop = threading.Event()
        self._random = random.Random(seed)

    def run(self) -> None:
        last_round = False
        while not last_round:
            # What was committed before the stop is read in the round after it.
            last_round = self.stop.is_set()
            for channel in self._random.sample(CHANNELS, len(CHANNELS)):
                recovery = recover(channel, self.at[channel])
                assert recovery.recovered, f"{channel}: {self.at[channel]} to {recovery.head}"
                assert recovery.head.epoch == self.at[channel].epoch
                self.read[channel] += [each.offset for each in recovery.publications]
                self.at[channel] = recovery.head


def check(publishers: Sequence[Publisher], readers: int) -> None:
    """Run all at once; readers must see every committed offset once, in order, without a hole."""
    begin = {channel: recover(channel, None).head for channel in CHANNELS}
    followers = [Reader(seed, begin) for seed in range(readers)]
    start = threading.Barrier(len(publishers))
    writing = threading.Semaphore(0)

    def write(transactions: Publisher) -> list[tuple[str, int]]:
        try:
            return publish_all(transactions, start)
        finally:
            writing.release()

    def stop_readers() -> None:
        for _ in publishers:
            writing.acquire(timeout=30)
        for follower in followers:
            follower.stop.set()

    results = run_together(
        *(lambda transactions=transactions: write(transactions) for transactions in publishers),
        *(follower.run for follower in followers),
        stop_readers,
    )
    committed = [pair for result in results[: len(publishers)] for pair in result]
    for channel in CHANNELS:
        offsets = sorted(offset for name, offset in committed if name == channel)
        first = begin[channel].offset + 1
        assert offsets == list(range(first, first + len(offsets))), f"{channel} was committed so"
        for follower in followers:
            assert follower.read[channel] == offsets, f"{channel} was read so"
    assert len(committed) < RECOVERY_PUBLICATIONS


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    # What fails by timing alone cannot be made smaller.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(publishers=st.lists(PUBLISHER, min_size=2, max_size=3))
def test_no_reader_skips_or_repeats(publishers: list[Publisher]) -> None:
    """Whatever publishers commit and roll back at once, readers get every offset once, in order."""
    check(publishers, readers=2)


@pytest.mark.servers
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    # What fails by timing alone cannot be made smaller.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(publishers=st.lists(st.lists(TRANSACTION, min_size=8, max_size=20), min_size=4, max_size=6))
def test_no_reader_skips_or_repeats_on_postgresql(
    on_postgresql: None, publishers: list[Publisher]
) -> None:
    """The same where transactions really overlap: many writers, opposite orders, no deadlock."""
    check(publishers, readers=3)


@pytest.mark.servers
def test_opposite_orders(on_postgresql: None) -> None:
    """Two publishers of the same new channels in opposite orders wait, never in a circle."""
    for turn in range(20):
        names = [f"notes:{turn}-{name}" for name in "abcdefgh"]
        start = threading.Barrier(2)
        forwards: Publisher = [(names, True)] * 5
        backwards: Publisher = [(names[::-1], True)] * 5
        run_together(
            lambda first=forwards, start=start: publish_all(first, start),
            lambda second=backwards, start=start: publish_all(second, start),
        )
        for name in names:
            assert recover(name, None).head.offset == 10


def test_first_publishers_of_a_channel() -> None:
    """When several publish to a channel that is not there yet, one stream comes out of it."""
    start = threading.Barrier(4)
    committed = run_together(
        *(lambda: publish_all([(["notes:new"], True)] * 3, start) for _ in range(4))
    )
    offsets = sorted(offset for result in committed for _, offset in result)
    assert offsets == list(range(1, 13))

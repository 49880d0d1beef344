from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.limits import MalformedLimit, RateLimit, TokenBucket


@given(st.lists(st.floats(0, 2), max_size=200))
def test_bucket_never_gives_more_than_its_rate(pauses: list[float]) -> None:
    """In any stretch of time at most burst + rate x time pass, from its start on."""
    bucket, now, passed = TokenBucket(rate=5, burst=10, now=0), 0.0, 0
    for pause in pauses:
        now += pause
        passed += bucket.take(now) == 0
        assert passed <= 10 + 5 * now + 1e-6


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=100))
def test_the_wait_is_enough_and_not_more(pauses: list[float]) -> None:
    """Who waits as long as told gets through; a moment earlier they would not."""
    bucket, now = TokenBucket(rate=20, burst=3, now=0), 0.0
    for pause in pauses:
        now += pause
        if wait := bucket.take(now):
            assert 0 < wait <= 1 / 20 + 1e-9
            assert bucket.take(now + wait * 0.9) > 0
            now += wait + 1e-9
            assert bucket.take(now) == 0


def test_twenty_a_second_for_ever() -> None:
    """At the permitted rate nothing is ever refused."""
    limit = RateLimit(now=0)
    for number in range(10_000):
        assert limit.take(number / 20) == 0


def test_burst_of_forty() -> None:
    """Forty at once pass, the next one waits a twentieth of a second."""
    limit = RateLimit(now=0)
    assert [limit.take(0) for _ in range(40)] == [0] * 40
    assert limit.take(0) == 1 / 20


def test_who_obeys_is_never_cut() -> None:
    """A client with an endless queue, which waits whenever it is told to, keeps its connection."""
    limit, now, passed = RateLimit(now=0), 0.0, 0
    while passed < 5_000:
        if wait := limit.take(now):
            # As the error frame tells it: whole milliseconds, upwards.
            now += math.ceil(wait * 1000) / 1000
        else:
            passed += 1
        assert not limit.exhausted(now)
    assert now > 200


def test_flooder_is_cut_in_its_third_second() -> None:
    """A thousand messages a second are the end after two seconds, not before."""
    limit, now = RateLimit(now=0), 0.0
    while not limit.exhausted(now):
        limit.take(now)
        now += 0.001
    assert 2 <= now < 2.2


def test_who_goes_on_is_read_more_slowly() -> None:
    """Not a client that had sent a lot before it could hear that it was too much."""
    limit = RateLimit(now=0)
    for _ in range(140):
        limit.take(0)
    assert not limit.rest
    limit.take(0)
    assert 0 < limit.rest < 1 / 20
    # Quiet for as long as a burst takes to come back, it is as new.
    limit.take(2.0)
    assert not limit.rest


def test_other_rates() -> None:
    """What holds for messages holds for whatever is limited to another rate, in its measure."""
    limit = RateLimit(0, 50, 256)
    assert [limit.take(0) for _ in range(256)] == [0] * 256
    assert limit.take(0) == 1 / 50
    for _ in range(100):
        limit.take(0)
    assert 0 < limit.rest < 1 / 50
    now = 0.0
    while not limit.exhausted(now):
        now += max(limit.rest, 0.001)
        limit.take(now)
    assert 2 <= now < 2.5


def test_strikes_are_forgotten() -> None:
    """Three bursts in as many minutes are no flood."""
    limit = RateLimit(now=0)
    for minute in range(20):
        now = minute * 61 / 2
        for _ in range(45):
            limit.take(now)
        assert not limit.exhausted(now)


def test_tenth_malformed_message_of_a_minute() -> None:
    """Nine are borne; the tenth within a minute is one too many."""
    limit = MalformedLimit()
    assert [limit.exceeded(float(second)) for second in range(10)] == [False] * 9 + [True]
    patient = MalformedLimit()
    assert not any(patient.exceeded(second * 7.0) for second in range(100))

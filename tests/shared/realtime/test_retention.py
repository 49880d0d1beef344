from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shared.realtime import namespaces, retention
from shared.realtime.history import history, recover
from shared.realtime.models import Publication, Stream
from shared.realtime.positions import Position
from shared.realtime.publish import Draft, publish, publish_many

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not trimmed yet."""
    monkeypatch.setattr(retention, "_pass", retention._Pass())


def offsets(channel: str) -> list[int]:
    return [each.offset for each in history(channel).publications]


def make_old(channel: str, *numbers: int, hours: float = 2) -> None:
    then = timezone.now() - timedelta(hours=hours)
    Publication.objects.filter(stream__channel=channel, offset__in=numbers).update(created=then)
    # No publication is older than its stream.
    Stream.objects.filter(channel=channel).update(created=then)


def test_size() -> None:
    """A stream keeps as many as its namespace says, the newest; a second run finds nothing."""
    publish_many([Draft("short:a", {"n": n}) for n in range(10)])
    publish_many([Draft("short:b", {"n": n}) for n in range(2)])
    publish_many([Draft("notes:a", {"n": n}) for n in range(10)])
    assert retention.trim() == {"short": 7, "notes": 0}
    assert offsets("short:a") == [8, 9, 10]
    assert offsets("short:b") == [1, 2]
    assert len(offsets("notes:a")) == 10
    assert retention.trim() == {"short": 0, "notes": 0}


def test_age() -> None:
    """What is older than its namespace says goes."""
    publish_many([Draft("short:a", {"n": n}) for n in range(3)])
    make_old("short:a", 1, 2)
    assert retention.trim() == {"short": 2}
    assert offsets("short:a") == [3]


def test_age_leaves_no_hole() -> None:
    """When clocks differed, everything before the last expired one goes, too."""
    publish_many([Draft("short:a", {"n": n}) for n in range(3)])
    make_old("short:a", 2)
    retention.trim()
    assert offsets("short:a") == [3]


def test_offsets_are_never_used_again() -> None:
    """A stream whose every publication is gone goes on counting."""
    for number in range(1, 4):
        publish("short:a", {"n": number})
    make_old("short:a", 1, 2, 3)
    retention.trim()
    assert offsets("short:a") == []
    published = publish("short:a", {"n": 4})
    assert published.offset == 4
    assert not recover("short:a", Position(published.epoch, 2)).recovered
    assert recover("short:a", Position(published.epoch, 3)).recovered


def test_many_streams() -> None:
    """Streams are trimmed batch after batch, each once."""
    channels = [f"short:{n}" for n in range(1_100)]
    publish_many([Draft(channel, {}) for channel in channels for _ in range(4)])
    assert retention.trim() == {"short": 1_100}
    assert Publication.objects.count() == 3 * 1_100
    assert set(Publication.objects.values_list("offset", flat=True)) == {2, 3, 4}


def test_round_goes_on_where_the_last_one_stopped() -> None:
    """A round ends when its time is over; rounds together trim every stream, once each."""
    channels = [f"short:{n}" for n in range(1_100)]
    publish_many([Draft(channel, {}) for channel in channels for _ in range(4)])
    assert [retention.trim(seconds=0) for _ in range(3)] == [
        {"short": 500},
        {"short": 500},
        {"short": 100},
    ]
    # All were in order after a pass of several rounds: it rests a while before the next.
    publish("short:0", {})
    assert retention.trim(seconds=0) == {}


def test_streams_in_order_cost_one_read(django_assert_num_queries: Any) -> None:
    """A stream that is neither long nor old is not looked into."""
    publish_many([Draft(f"short:{n}", {}) for n in range(20)])
    with django_assert_num_queries(3):
        retention.trim()


def test_namespace_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of an app that is away is left alone, among streams that are trimmed."""
    publish_many(
        [Draft(channel, {}) for channel in ("thin:a", "short:a", "thin:b") for _ in "12345"]
    )
    kept = {name: each for name, each in namespaces._registry.items() if name != "thin"}
    monkeypatch.setattr(namespaces, "_registry", kept)
    assert retention.trim() == {"short": 2}
    assert Publication.objects.filter(stream__channel__startswith="thin:").count() == 10
    assert Stream.objects.count() == 3 + len(namespaces.standing_channels())

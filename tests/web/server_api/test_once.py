"""Publications that come twice: keys and versions, also from several workers at once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from shared.broker.wire import Published
from shared.realtime import actions, idempotency, streams
from shared.realtime.actions import do_publish_each
from shared.realtime.idempotency import KEPT, Receipt, forget_receipts
from tests.shared.threads import run_together
from tests.web.server_api.conftest import Wire, said

pytestmark = pytest.mark.django_db(transaction=True)
type Rings = list[list[Published]]

NEWS = "feed:news"


def numbers(channel: str = NEWS) -> list[Any]:
    return [data["n"] for data in said(channel)]


def publish(number: int, channel: str = NEWS, **options: Any) -> tuple[str, int]:
    [position] = do_publish_each([channel], {"n": number}, **options)
    return tuple(position)


def test_a_key_again() -> None:
    """The first publication's position comes back, also where others came since."""
    first = publish(1, idempotency_key="k")
    publish(2)
    assert publish(3, idempotency_key="k") == first
    assert publish(4, idempotency_key="other")[1] == 3
    assert publish(5, "feed:other", idempotency_key="k")[1] == 1
    assert numbers() == [1, 2, 4]


def test_a_key_without_history(rings: Rings) -> None:
    """There is no position to come back, and still it is heard once."""
    for channel, options in (("flash:a", {}), (NEWS, {"skip_history": True})):
        for number in (1, 2):
            assert publish(number, channel, idempotency_key="k", **options) == ("", 0)
    assert [each.data for ring in rings for each in ring] == ['{"n":1}', '{"n":1}']


def test_a_key_after_five_minutes() -> None:
    """It means another publication then."""
    publish(1, idempotency_key="k")
    Receipt.objects.update(created=timezone.now() - KEPT + timedelta(seconds=10))
    assert publish(2, idempotency_key="k")[1] == 1
    Receipt.objects.update(created=timezone.now() - KEPT - timedelta(seconds=1))
    assert publish(3, idempotency_key="k")[1] == 2
    assert publish(4, idempotency_key="k")[1] == 2
    assert numbers() == [1, 3]


def test_receipts_are_forgotten() -> None:
    """Those that mean nothing anymore, and no others."""
    publish(1, idempotency_key="old")
    Receipt.objects.update(created=timezone.now() - 3 * KEPT)
    publish(2, idempotency_key="new")
    assert forget_receipts() == 1
    assert publish(3, idempotency_key="new")[1] == 2


def test_a_key_whose_publication_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was published, so the next one with the key is the first."""

    def fail(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(actions, "publish_many", fail)
        with pytest.raises(RuntimeError):
            publish(1, idempotency_key="k")
    assert publish(2, idempotency_key="k")[1] == 1
    assert numbers() == [2]


def test_a_key_at_once_on_many_workers(rings: Rings) -> None:
    """Whoever comes second waits for the first one and gets its position."""

    def send(number: int) -> list[tuple[str, int]]:
        # Channels in any order: nobody waits for each other in a circle.
        channels = [f"feed:{(number + each) % 5}" for each in range(5)]
        positions = do_publish_each(channels, {"n": number}, idempotency_key="k")
        return [tuple(each) for _, each in sorted(zip(channels, positions, strict=True))]

    results = run_together(*[partial(send, number) for number in range(12)])
    assert all(each == results[0] for each in results)
    assert [offset for _, offset in results[0]] == [1] * 5
    assert len({tuple(numbers(f"feed:{each}")) for each in range(5)}) == 1
    assert sum(len(ring) for ring in rings) == 5


def test_versions() -> None:
    """What is not newer is dropped, with success and where the log stands."""
    assert publish(1, version=5)[1] == 1
    assert publish(2, version=5)[1] == 1
    assert publish(3, version=4)[1] == 1
    assert publish(4, version=6)[1] == 2
    # Without a version it is none of its business.
    assert publish(5)[1] == 3
    epoch = streams.touch(NEWS).position.epoch
    assert publish(6, version=6) == (epoch, 3)
    assert numbers() == [1, 4, 5]


def test_versions_of_another_counting() -> None:
    """Another version_epoch starts anew; none goes on with the one that is."""
    publish(1, version=5, version_epoch="a")
    publish(2, version=5, version_epoch="a")
    publish(3, version=5)
    publish(4, version=1, version_epoch="b")
    publish(5, version=1, version_epoch="b")
    publish(6, version=2, version_epoch="a")
    assert numbers() == [1, 4, 6]


def test_a_version_that_does_not_name_its_counting() -> None:
    """It goes on with the counting that is, whose name stays known."""
    publish(1, version=5, version_epoch="a")
    publish(2, version=6)
    publish(3, version=5, version_epoch="a")
    publish(4, version=6, version_epoch="a")
    publish(5, version=7, version_epoch="a")
    assert numbers() == [1, 2, 5]


def test_a_version_without_history(rings: Rings) -> None:
    """Nothing tells there which is the newest: all are heard."""
    for number in (1, 2):
        publish(number, "flash:a", version=1)
        publish(number, NEWS, version=1, skip_history=True)
    assert len([each for ring in rings for each in ring]) == 4
    publish(3, version=1)
    assert numbers() == [3]


def test_versions_at_once() -> None:
    """However writers overtake each other, the log's versions only grow."""

    def send(number: int) -> None:
        do_publish_each([NEWS, "feed:other"], {"n": number}, version=number)

    run_together(*[partial(send, number) for number in (3, 1, 8, 2, 7, 4, 6, 5, 8, 1)])
    for channel in (NEWS, "feed:other"):
        assert numbers(channel) == sorted(set(numbers(channel)))
        assert numbers(channel)[-1] == 8


def test_a_key_and_a_version() -> None:
    """The key decides first; what the version dropped comes back with its position, too."""
    publish(1, version=5)
    dropped = publish(2, version=5, idempotency_key="k")
    publish(3, version=6)
    assert publish(4, version=9, idempotency_key="k") == dropped
    assert dropped[1] == 1
    assert numbers() == [1, 3]


def test_a_few_statements(django_assert_num_queries: Any) -> None:
    """What a publication with a key costs beside one without."""
    publish(1)
    with django_assert_num_queries(4):
        # BEGIN and COMMIT among them.
        publish(2)
    with django_assert_num_queries(6):
        publish(3, idempotency_key=uuid4().hex)


def test_over_the_wire(wire: Wire) -> None:
    """All of it has a name in a request."""
    body = {"channel": NEWS, "data": {"n": 1}, "version": 3, "version_epoch": "a"}
    first = wire.result("publish", body)
    assert wire.result("publish", body) == first
    assert wire.result("publish", {**body, "version_epoch": "b"})["offset"] == 2
    keyed = {"channel": NEWS, "data": {"n": 2}, "idempotency_key": "k"}
    assert wire.result("publish", keyed) == wire.result("publish", keyed)
    assert numbers() == [1, 1, 2]
    assert idempotency.StreamVersion.objects.get().version == 3

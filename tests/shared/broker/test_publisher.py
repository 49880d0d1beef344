"""The publisher and a real RabbitMQ, with a cable between them that the test can pull."""

from __future__ import annotations

import logging
import os
import time

import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from shared.broker.publisher import BrokerBell, Publisher
from shared.broker.wire import FanOut, Published, read_bell, read_fan_out
from tests.cable import Cable
from tests.processes import ENVIRONMENT, python
from tests.servers import RabbitMQ
from tests.shared.broker.ear import Ear, wait_for

pytestmark = pytest.mark.servers


def make(first: int, last: int, size: int = 2) -> list[Published]:
    return [Published("chat:a", "e-1", n, "x" * size, 1.5) for n in range(first, last + 1)]


def dropped(reason: str) -> float:
    name = "carillon_broker_publish_errors_total"
    return REGISTRY.get_sample_value(name, {"service": "tests", "reason": reason}) or 0.0


def confirmed() -> float:
    name = "carillon_broker_publish_duration_seconds_count"
    return REGISTRY.get_sample_value(name, {"service": "tests"}) or 0.0


def connect(publisher: Publisher, ear: Ear) -> None:
    """Ring once, and wait until it was heard and the publisher knows it."""
    taken = confirmed()
    publisher.put(make(1, 1))
    ear.hear(lambda: ear.offsets == [1])
    wait_for(lambda: confirmed() > taken)


def test_order_and_batches(publisher: Publisher, ear: Ear) -> None:
    """All that is put arrives, once and in order, also from a burst."""
    for first in range(1, 5_000, 10):
        publisher.put(make(first, first + 9, size=500))
    ear.hear(lambda: len(ear.offsets) >= 5_000)
    assert ear.offsets == list(range(1, 5_001))


def test_fan_out(publisher: Publisher, ear: Ear) -> None:
    """Publications that share their texts go in one bell, in their place among the others."""
    shared = FanOut("user", 1.5, ['{"a":1}'], ["1", "2"], ["e", "e"], [1, 1], ['"b":2'] * 2, [0, 0])
    publisher.put([*make(1, 3), shared, *make(4, 6)])
    ear.hear(lambda: len(ear.bodies) == 3)
    first, second, third = ear.events
    assert [len(read_bell(each)) for each in (first, third)] == [3, 3]
    assert read_fan_out(second).published(1).data == '{"b":2,"a":1}'


def test_broker_away(
    publisher: Publisher, cable: Cable, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers never wait, what is lost is counted, one line tells of it, and it heals alone."""
    caplog.set_level(logging.INFO, "shared.broker.publisher")
    connect(publisher, ear)
    before = sum(map(dropped, ("connection", "timeout", "breaker_open")))
    cable.cut()
    put = 0
    for _ in range(60):
        started = time.monotonic()
        publisher.put(make(2, 11))
        assert time.monotonic() - started < 0.05
        put += 10
        time.sleep(0.02)
    wait_for(lambda: sum(map(dropped, ("connection", "timeout", "breaker_open"))) == before + put)
    assert dropped("breaker_open") > 0
    assert dropped("connection") > 0
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "deliver from the log" in caplog.records[0].getMessage()
    cable.mend()
    number = 100

    def ring_again() -> bool:
        nonlocal number
        number += 1
        publisher.put(make(number, number))
        return len(ear.offsets) > 1

    ear.hear(ring_again)
    assert ear.offsets[0] == 1
    assert all(offset > 100 for offset in ear.offsets[1:])
    wait_for(lambda: [r.levelname for r in caplog.records] == ["WARNING", "INFO"])


def test_broker_frozen(publisher: Publisher, cable: Cable, ear: Ear) -> None:
    """A broker that says nothing holds up nobody; the bell is given up and the next one works."""
    connect(publisher, ear)
    before = dropped("timeout")
    cable.freeze()
    started = time.monotonic()
    publisher.put(make(2, 2))
    assert time.monotonic() - started < 0.05
    wait_for(lambda: dropped("timeout") > before)
    # Whatever the frozen connection still holds may come late, as a repeat or in its place.
    cable.cut()
    cable.mend()

    def ring_again() -> bool:
        publisher.put(make(9, 9))
        return 9 in ear.offsets

    ear.hear(ring_again)


def test_one_cut_connection(publisher: Publisher, cable: Cable, ear: Ear) -> None:
    """A connection lost between two bells costs no bell: it is sent on a fresh one."""
    connect(publisher, ear)
    cable.cut()
    cable.mend()
    publisher.put(make(2, 2))
    ear.hear(lambda: 2 in ear.offsets)
    assert sorted(set(ear.offsets)) == [1, 2]


def test_full_queue(publisher: Publisher, cable: Cable, ear: Ear) -> None:
    """The queue is bounded: what does not fit is dropped and counted, the rest arrives."""
    connect(publisher, ear)
    before = dropped("queue_full")
    cable.freeze()
    publisher.put(make(2, 2))
    # The thread waits for the confirm of this one; the next are queued, up to the bound.
    wait_for(lambda: not publisher._queue)
    for _ in range(12):
        publisher.put(make(3, 1_002))
    assert dropped("queue_full") == before + 2_000
    cable.mend()
    ear.hear(lambda: len(ear.offsets) >= 10_002)
    assert dropped("queue_full") == before + 2_000


def test_more_than_the_queue_holds(publisher: Publisher, ear: Ear) -> None:
    """What comes at once is told whole by a publisher that has nothing else to tell."""
    before = dropped("queue_full")
    publisher.put(make(1, 12_000))
    ear.hear(lambda: len(ear.offsets) >= 12_000)
    assert ear.offsets == list(range(1, 12_001))
    assert dropped("queue_full") == before


def test_vhost_refused(rabbitmq: RabbitMQ) -> None:
    """A broker that turns us away is a counted failure like any other, not a dead thread."""
    url = rabbitmq.urls["web"].replace("web:", "web:wrong", 1)
    publisher = Publisher(url, "tests")
    before = dropped("connection")
    publisher.put(make(1, 3))
    wait_for(lambda: dropped("connection") >= before + 3)
    publisher.close(0)


def test_after_a_fork(rabbitmq: RabbitMQ, ear: Ear, settings: Settings) -> None:
    """A child rings through a connection of its own; the parent's goes on undisturbed."""
    settings.BROKER_URL = rabbitmq.urls["web"]
    bell = BrokerBell()
    bell.ring(make(1, 1))
    ear.hear(lambda: ear.offsets == [1])
    child = os.fork()
    if child == 0:
        bell.ring(make(2, 2))
        bell.flush()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
    ear.hear(lambda: 2 in ear.offsets)
    bell.ring(make(3, 3))
    ear.hear(lambda: 3 in ear.offsets)
    assert ear.offsets == [1, 2, 3]
    bell.flush()


def test_flush_at_exit(rabbitmq: RabbitMQ, ear: Ear, settings: Settings) -> None:
    """A process that rings and ends at once, as a management command does, is heard."""
    program = (
        "import django; django.setup()\n"
        "from shared.broker.bell import ring\n"
        "from shared.broker.wire import Published\n"
        "ring([Published('chat:a', 'e', 77, '{}', 1.0)])\n"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "services.web.settings",
        "BROKER_URL": rabbitmq.urls["web"],
        # The ear opens what has our seal.
        "CARILLON_SECRET_KEY": settings.SECRET_KEY,
    }
    ended = python("-c", program, environment=ENVIRONMENT | environment)
    assert ended.returncode == 0, ended.stderr
    ear.hear(lambda: ear.offsets == [77])

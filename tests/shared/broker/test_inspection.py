"""Looking at a broker that goes away meanwhile; what else it finds is tried with the operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.broker import inspection
from shared.broker.inspection import Fault, inspect
from tests.cable import Cable
from tests.servers import RabbitMQ

pytestmark = pytest.mark.servers


@pytest.fixture
def cable(rabbitmq: RabbitMQ) -> Iterator[Cable]:
    url = urlsplit(rabbitmq.urls["web"])
    with Cable(url.hostname or "", url.port or 0) as cable:
        yield cable


@pytest.mark.parametrize("step", ["_ring_a_bell", "_take_a_task", "_depths"])
@pytest.mark.parametrize("harm", ["cut", "freeze"])
def test_broker_that_goes_meanwhile(
    rabbitmq: RabbitMQ, cable: Cable, monkeypatch: pytest.MonkeyPatch, step: str, harm: str
) -> None:
    """It is one more fault, told with what was seen before, and not the end of the look."""
    does = getattr(inspection, step)

    def too_late(place: Any) -> Any:
        getattr(cable, harm)()
        return does(place)

    monkeypatch.setattr(inspection, step, too_late)
    url = urlsplit(rabbitmq.urls["web"])
    login = url.netloc.rpartition("@")[0]
    seen = inspect(
        f"amqp://{login}@127.0.0.1:{cable.port}{url.path}", hears_bells=False, has_jobs=True
    )
    assert seen.product.startswith("RabbitMQ ")
    [(fault, words)] = seen.faults
    assert fault is (Fault.BLOCKED if harm == "freeze" and step != "_depths" else Fault.AWAY)
    assert words

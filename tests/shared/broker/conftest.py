from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from shared.broker.publisher import Publisher
from tests.cable import Cable
from tests.servers import RabbitMQ
from tests.shared.broker.ear import Ear


@pytest.fixture
def ear(rabbitmq: RabbitMQ) -> Iterator[Ear]:
    ear = Ear(rabbitmq.urls["operator"])
    yield ear
    ear.close()


@pytest.fixture
def cable(rabbitmq: RabbitMQ) -> Iterator[Cable]:
    url = urlsplit(rabbitmq.urls["web"])
    with Cable(url.hostname or "", url.port or 0) as cable:
        yield cable


@pytest.fixture
def publisher(rabbitmq: RabbitMQ, cable: Cable) -> Iterator[Publisher]:
    """A publisher with the rights of the web tier, behind the cable."""
    url = urlsplit(rabbitmq.urls["web"])
    login = url.netloc.rpartition("@")[0]
    made = Publisher(f"amqp://{login}@127.0.0.1:{cable.port}{url.path}", "tests")
    yield made
    made.close(0)

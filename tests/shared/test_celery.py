"""Sending tasks, with a broker that is there, away or silent."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import amqp
import pytest
from prometheus_client import REGISTRY
from pytest_django import Settings

from shared import celery
from shared.broker.topology import declare_dead_letters
from tests.servers import RabbitMQ


def dropped() -> float:
    labels = {"service": "embedded", "reason": "task"}
    return REGISTRY.get_sample_value("carillon_broker_publish_errors_total", labels) or 0.0


def connected(url: str) -> amqp.Connection:
    place = urlsplit(url)
    return amqp.Connection(
        f"{place.hostname}:{place.port}",
        userid=place.username,
        password=place.password,
        virtual_host=place.path[1:],
    )


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A sender that has met no broker."""
    sender = celery._Sender()
    monkeypatch.setattr(celery, "_sender", sender)
    yield
    sender._drop()


@pytest.fixture
def silent() -> Iterator[str]:
    """A broker that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"amqp://web:letters@127.0.0.1:{server.getsockname()[1]}/carillon"


@pytest.fixture
def away() -> Iterator[str]:
    """A broker whose port refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"amqp://web:letters@127.0.0.1:{taken.getsockname()[1]}/carillon"


def test_no_broker(settings: Settings) -> None:
    """The embedded form has none: nothing is sent, and nothing is counted as lost."""
    settings.BROKER_URL = ""
    before = dropped()
    assert not celery.send("bulk.drain", 1, "token", expires=60)
    assert dropped() == before


@pytest.mark.parametrize("broker", ["away", "silent"])
@pytest.mark.thorough
def test_broker_that_does_not_answer(
    settings: Settings,
    broker: str,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It costs seconds once, then nothing for a while; it never raises and is logged once."""
    settings.BROKER_URL = request.getfixturevalue(broker)
    before, began = dropped(), time.monotonic()
    with caplog.at_level(logging.WARNING, "shared.celery"):
        assert not celery.send("bulk.drain", 1, "token", expires=60)
        first = time.monotonic() - began
        for _ in range(100):
            assert not celery.send("bulk.drain", 1, "token", expires=60)
    assert first < 6
    assert time.monotonic() - began - first < 0.5
    assert dropped() == before + 101
    (record,) = caplog.records
    assert "RabbitMQ takes no tasks" in record.getMessage()


def test_queue_and_life(settings: Settings, rabbitmq: RabbitMQ) -> None:
    """A bulk task goes into the bulk queue, says when it was sent, and stays there a minute."""
    settings.BROKER_URL = rabbitmq.urls["web"]
    assert celery.send("bulk.drain", 1, "token", expires=60)
    with connected(rabbitmq.urls["operator"]) as connection:
        message = connection.channel().basic_get("carillon.bulk", no_ack=True)
    assert message.headers["task"] == "bulk.drain"
    assert message.properties["expiration"] == "60000"
    assert abs(message.headers[celery.SENT_AT] - time.time()) < 60


def test_rounds_that_expire_are_no_dead_letters(settings: Settings, rabbitmq: RabbitMQ) -> None:
    """The next one stands in; a team's task that nobody took is there to be looked at."""
    settings.BROKER_URL = rabbitmq.urls["operator"]
    with connected(rabbitmq.urls["operator"]) as connection:
        channel = connection.channel()
        with celery.app.connection_for_write(settings.BROKER_URL) as declaring:
            declare_dead_letters(declaring)
        assert celery.send("worker.probe", expires=0.1)
        deadline = time.monotonic() + 20
        while channel.queue_declare("carillon.rounds", passive=True).message_count:
            assert time.monotonic() < deadline, "it expires"
        assert celery.send("team.task", expires=0.1)
        while (letter := channel.basic_get("carillon.dead_letters", no_ack=True)) is None:
            assert time.monotonic() < deadline, "it becomes a dead letter"
        assert letter.headers["task"] == "team.task"
        assert channel.basic_get("carillon.dead_letters", no_ack=True) is None


@pytest.mark.parametrize(
    ("key", "name"), [("bulk", "bulk"), ("default", "default"), ("x", "other"), (None, "other")]
)
def test_queue_names(key: str | None, name: str) -> None:
    """Labels come from a closed set."""
    assert celery.queue_of(key) == name

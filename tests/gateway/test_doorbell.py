"""The doorbell and a real RabbitMQ, with a cable between them that the test can pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from urllib.parse import urlsplit

import pytest
from kombu import Connection, Producer
from prometheus_client import REGISTRY

from services.gateway.doorbell import Doorbell
from shared.broker.sender import Sender
from shared.broker.topology import BELLS_GROUP, GROUPS_EXCHANGE
from shared.broker.wire import FanOut, Published, bells, encode_control, fan_out_bells
from tests.cable import Cable
from tests.gateway.peer import eventually
from tests.servers import RabbitMQ

pytestmark = pytest.mark.servers


def replacements() -> float:
    return REGISTRY.get_sample_value("carillon_gateway_layer_replacements_total") or 0.0


def reconnects() -> float:
    return REGISTRY.get_sample_value("carillon_gateway_broker_reconnects_total") or 0.0


def malformed() -> float:
    name = "carillon_gateway_broker_messages_received_total"
    return REGISTRY.get_sample_value(name, {"kind": "malformed"}) or 0.0


class Listening:
    """A running doorbell, and what it has heard."""

    def __init__(self, url: str) -> None:
        self.heard: list[int] = []
        self.came_back = 0
        self.doorbell = Doorbell(
            url,
            "under-test",
            on_publication=self._take,
            on_fan_out=self._take_all,
            on_back=self._count,
        )
        self.task = asyncio.create_task(self.doorbell.run())

    def _take(self, publication: Published) -> None:
        self.heard.append(publication.offset)

    def _take_all(self, fan_out: FanOut) -> None:
        for index in range(len(fan_out)):
            self._take(fan_out.published(index))

    def _count(self) -> None:
        self.came_back += 1


@pytest.fixture
def cable(rabbitmq: RabbitMQ) -> Iterator[Cable]:
    url = urlsplit(rabbitmq.urls["gateway"])
    with Cable(url.hostname or "", url.port or 0) as cable:
        yield cable


@pytest.fixture
async def listening(rabbitmq: RabbitMQ, cable: Cable) -> AsyncIterator[Listening]:
    """A doorbell with the gateway's rights, behind the cable, that hears."""
    url = urlsplit(rabbitmq.urls["gateway"])
    login = url.netloc.rpartition("@")[0]
    made = Listening(f"amqp://{login}@127.0.0.1:{cable.port}{url.path}")
    await eventually(lambda: made.doorbell.connected)
    yield made
    made.task.cancel()
    made.doorbell.close()


@pytest.fixture
def ringer(rabbitmq: RabbitMQ) -> Iterator[Sender]:
    """Another process's end, on a connection that nobody cuts."""
    sender = Sender(rabbitmq.urls["web"])
    yield sender
    sender.close()


async def ring(ringer: Sender, *offsets: int) -> None:
    rung = [Published("chat:a", "e", offset, "{}", 0.0) for offset in offsets]
    for body, _ in bells(BELLS_GROUP, rung):
        await asyncio.to_thread(ringer.send, BELLS_GROUP, body)


async def hears_again(listening: Listening, ringer: Sender, offset: int) -> None:
    async with asyncio.timeout(15):
        while offset not in listening.heard:
            await ring(ringer, offset)
            await asyncio.sleep(0.1)


async def test_hears_in_order(listening: Listening, ringer: Sender) -> None:
    """Each publication of each bell is handed on, in the order it was rung."""
    for first in range(1, 100, 10):
        await ring(ringer, *range(first, first + 10))
    await eventually(lambda: len(listening.heard) == 100)
    assert listening.heard == list(range(1, 101))
    assert not listening.doorbell.deaf
    assert listening.doorbell.outage is None


async def test_hears_one_text_to_many(listening: Listening, ringer: Sender) -> None:
    """A bell for many channels is handed on whole, between its neighbours."""
    many = FanOut(
        namespace="user",
        time=0.0,
        texts=['{"type":"notification"}'],
        topics=["2", "3", "4"],
        epochs=["e", "f", "g"],
        offsets=[12, 13, 14],
        members=['"id":1', '"id":2', '"id":3'],
        chosen=[0, 0, 0],
    )
    await ring(ringer, 11)
    for body, _ in fan_out_bells(BELLS_GROUP, many):
        await asyncio.to_thread(ringer.send, BELLS_GROUP, body)
    await ring(ringer, 15)
    await eventually(lambda: len(listening.heard) == 5)
    assert listening.heard == [11, 12, 13, 14, 15]


async def test_malformed_bell(listening: Listening, ringer: Sender) -> None:
    """A bell without its parts, or of an unknown kind, is passed over; the next one is heard."""
    for kind, fields in (
        ("bell.ring", {}),
        ("bell.ring", {"publications": [1]}),
        ("bell.fan_out", {}),
        ("bell.fan_out", {"namespace": "user", "time": 0.0, "topics": 5}),
        ("other", {}),
    ):
        body = encode_control(BELLS_GROUP, kind, fields)
        await asyncio.to_thread(ringer.send, BELLS_GROUP, body)
    await ring(ringer, 7)
    await eventually(lambda: listening.heard == [7])


async def test_nobody_else_rings(
    listening: Listening,
    ringer: Sender,
    rabbitmq: RabbitMQ,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    What an account on the broker sends without our secret is not heard, whatever it says.

    Each is counted, but the log is not theirs to fill.
    """
    [(forged, _)] = bells(
        BELLS_GROUP, [Published("controls:all", "", 0, '{"type":"subscribe"}', 1.5)]
    )
    before = malformed()

    def forge(count: int) -> None:
        with Connection(rabbitmq.urls["web"]) as connection:
            for _ in range(count):
                Producer(connection).publish(
                    forged, exchange=GROUPS_EXCHANGE, routing_key=BELLS_GROUP
                )

    await asyncio.to_thread(forge, 5)
    await eventually(lambda: malformed() == before + 5)
    await ring(ringer, 7)
    await eventually(lambda: listening.heard == [7])
    assert caplog.text.count("Not a bell: without a seal") == 1


async def test_broker_away(listening: Listening, ringer: Sender, cable: Cable) -> None:
    """While the cable is cut it says so; after it, it hears again by itself and asks the log."""
    came_back, before = listening.came_back, reconnects()
    cable.cut()
    await eventually(lambda: not listening.doorbell.connected and listening.doorbell.outage)
    assert not listening.doorbell.deaf
    cable.mend()
    await eventually(lambda: listening.doorbell.connected)
    assert listening.came_back == came_back + 1
    assert reconnects() == before + 1
    await hears_again(listening, ringer, 5)


async def test_two_cuts_in_a_row(listening: Listening, ringer: Sender, cable: Cable) -> None:
    """Two cuts a moment apart, which can leave the stock layer dead, are survived."""
    for number in range(3):
        cable.cut()
        cable.mend()
        await asyncio.sleep(0.2)
        cable.cut()
        cable.mend()
        await hears_again(listening, ringer, 10 + number)


async def test_deaf_layer_is_replaced(
    listening: Listening, ringer: Sender, rabbitmq: RabbitMQ
) -> None:
    """Foreign bytes kill the stock layer's reading for good; within seconds another one hears."""
    before = replacements()

    def poison() -> None:
        with Connection(rabbitmq.urls["operator"]) as connection:
            Producer(connection).publish(
                b"\xc1 not msgpack", exchange=GROUPS_EXCHANGE, routing_key=BELLS_GROUP
            )

    await asyncio.to_thread(poison)
    async with asyncio.timeout(5):
        await eventually(lambda: replacements() > before)
        await eventually(lambda: listening.doorbell.connected)
    await hears_again(listening, ringer, 3)
    assert not listening.doorbell.hopeless


class Hasty(Doorbell):
    """Without a layer; its probes are heard before and after their confirms, in turns."""

    def __init__(self, url: str) -> None:
        self.probes = self.came_back = 0
        super().__init__(url, "hasty", lambda publication: None, lambda fan_out: None, self._count)

    def _count(self) -> None:
        self.came_back += 1

    def _listen(self) -> None:
        pass

    async def _probe(self) -> bool:
        self.probes += 1
        hear = partial(self._take, {"type": "gateway.probe"})
        if self.probes % 2:
            hear()
        else:
            asyncio.get_running_loop().call_soon(hear)
        return True


async def test_probes_that_are_quicker_than_their_confirm(rabbitmq: RabbitMQ) -> None:
    """Whichever of both comes first, bells that are heard have not come back."""
    doorbell = Hasty(rabbitmq.urls["gateway"])
    running = asyncio.create_task(doorbell.run())
    await eventually(lambda: doorbell.probes == 5)
    running.cancel()
    doorbell.close()
    assert (doorbell.connected, doorbell.came_back) == (True, 1)

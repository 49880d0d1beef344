"""Our bytes and those of the installed channels-rabbitmq, on a real RabbitMQ, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from channels_rabbitmq.core import RabbitmqChannelLayer

from shared.broker.publisher import Publisher
from shared.broker.seals import opened
from shared.broker.topology import BELLS_GROUP
from shared.broker.wire import Published, decode, read_bell
from tests.servers import RabbitMQ
from tests.shared.broker.ear import Ear

pytestmark = pytest.mark.servers


@pytest.fixture
async def layer(rabbitmq: RabbitMQ) -> AsyncIterator[RabbitmqChannelLayer]:
    """The stock channel layer, as it is installed."""
    layer = RabbitmqChannelLayer(host=rabbitmq.urls["gateway"])
    yield layer
    await layer.close()


async def test_stock_layer_hears_our_bells(
    layer: RabbitmqChannelLayer, publisher: Publisher
) -> None:
    """What we put on the wire a stock consumer receives as an event, unchanged."""
    channel = await layer.new_channel()
    await layer.group_add(BELLS_GROUP, channel)
    sent = [
        Published("chat:a", "e-1", 1, "{}", 1.5),
        Published("chat:ü", "e-2", 2**40, '{"n":"😀\\u0000"}', 1234.5),
    ]
    publisher.put(sent)
    async with asyncio.timeout(15):
        event = opened(await layer.receive(channel))
    assert event["type"] == "bell.ring"
    assert list(read_bell(event)) == sent


async def test_we_read_what_a_stock_layer_sends(layer: RabbitmqChannelLayer, ear: Ear) -> None:
    """The body of a stock `group_send` is one that we decode, group and all."""
    event = {"type": "bell.ring", "n": 1, "text": "ü\0", "list": [1, None, {"a": 1.5}]}
    await layer.group_send(BELLS_GROUP, event)
    await asyncio.to_thread(ear.hear, lambda: ear.bodies)
    assert decode(ear.bodies[0]) == {**event, "__asgi_group__": BELLS_GROUP}

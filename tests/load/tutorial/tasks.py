"""
The task that loops.

A tutorial calls `async_to_sync(channel_layer.group_send)(...)` for each user. Here that raises: it
makes an event loop for each call, and the connection of channels-rabbitmq belongs to one. So the
task keeps one loop for all its sends. Of the ways to do that it is the fastest: `async_to_sync`
around the whole, with the ORM's async methods or the loop in a thread, did a fifth to a quarter
fewer users a second.
"""

from __future__ import annotations

import asyncio

from celery import shared_task
from channels.layers import BaseChannelLayer, channel_layers

from tests.load.tutorial.models import Notification

__all__ = ["send_bulk_notification"]


async def make_channel_layer() -> BaseChannelLayer:
    """Make the layer on the loop that it shall belong to."""
    return channel_layers.make_backend("default")


@shared_task(name="tutorial.send_bulk_notification")
def send_bulk_notification(user_ids: list[int], message: str) -> None:
    """Tell many users: a row for each, and a message to their group."""
    event = {"type": "notification_message", "message": message}
    with asyncio.Runner() as runner:
        channel_layer = runner.run(make_channel_layer())
        for user_id in user_ids:
            Notification.objects.create(user_id=user_id, message=message)
            runner.run(channel_layer.group_send(f"user_{user_id}", event))
        runner.run(channel_layer.close())

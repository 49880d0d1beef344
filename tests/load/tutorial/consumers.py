"""Each connected user is in a group of their own."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer

__all__ = ["NotificationConsumer"]


class NotificationConsumer(AsyncJsonWebsocketConsumer):
    """Passes on what is sent to its user's group."""

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close()
            return
        self.group = f"user_{user.pk}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json(
            {"type": "connection_established", "message": "You are now connected!"}
        )

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "group"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def notification_message(self, event: dict[str, Any]) -> None:
        """Answer a `notification_message` of the group."""
        await self.send_json({"type": "notification", "message": event["message"]})

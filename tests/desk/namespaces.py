"""`desk:<topic>`: for whoever has one of Django's permissions, in whichever way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

from shared.realtime.namespaces import Namespace, register

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

__all__ = ["PERMISSION", "DeskNamespace"]

PERMISSION = "chat.view_message"


@register
class DeskNamespace(Namespace):
    """Asks the database: what a connection's user object knows may be as old as the connection."""

    name = "desk"
    history_size = 100

    def can_subscribe(self, user: AbstractUser, channel: str) -> bool:
        found = get_user_model()._default_manager.filter(pk=user.pk).first()
        return found is not None and found.has_perm(PERMISSION)

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class NotificationsConfig(AppConfig):
    name = "shared.notifications"
    label = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        # Ours are not in kinds.py, which is what all others import.
        from shared.notifications import staff_kinds  # noqa: F401

        autodiscover_modules("kinds")

"""The realtime app: finds every app's namespaces and methods, keeps the deployment's row."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

__all__ = ["RealtimeConfig"]


class RealtimeConfig(AppConfig):
    name = "shared.realtime"
    label = "realtime"
    verbose_name = "Realtime log"

    def ready(self) -> None:
        # Imported for their registration: checks, a namespace, models.
        from shared.realtime import checks, controls, idempotency  # noqa: F401

        autodiscover_modules("namespaces", "rpc")
        post_migrate.connect(_after_migrate, sender=self, dispatch_uid="realtime.deployment")


def _after_migrate(using: str, **_: Any) -> None:
    """Make what must always exist: the deployment's row and the standing channels' streams."""
    from shared.realtime import deployment, namespaces, streams

    if using == "default":
        deployment.ensure()
        for channel in namespaces.standing_channels():
            streams.touch(channel)

"""The operations app: commands, and checks that `manage.py check --deploy` runs as well."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["OperationsConfig"]


class OperationsConfig(AppConfig):
    name = "shared.operations"
    label = "operations"
    verbose_name = "Operations"

    def ready(self) -> None:
        # Imported for their registration.
        from shared.operations import checks  # noqa: F401

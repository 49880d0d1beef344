from __future__ import annotations

from django.apps import AppConfig


class BulkConfig(AppConfig):
    name = "shared.bulk"
    label = "bulk"
    verbose_name = "Bulk notifications"

from __future__ import annotations

from django.apps import AppConfig


class RateLimitConfig(AppConfig):
    name = "shared.ratelimit"
    label = "ratelimit"
    verbose_name = "Rate limits"

"""The worker's settings: the base is all it needs."""

from __future__ import annotations

from shared.settings.base import *

CARILLON_SERVICE = "worker"
INSTALLED_APPS = [*INSTALLED_APPS, "services.worker"]

"""Settings of the tutorial: Carillon's base, for the same database driver, pool and sessions."""

from __future__ import annotations

from shared.settings.base import *

INSTALLED_APPS = [*INSTALLED_APPS, "tests.load.tutorial"]
ASGI_APPLICATION = "tests.load.tutorial.asgi.application"
CARILLON_SERVICE = "tutorial"

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_rabbitmq.core.RabbitmqChannelLayer",
        "CONFIG": {
            "host": BROKER_URL,
            # Not the exchange that Carillon's gateways listen to.
            "groups_exchange": "tutorial",
            # With the defaults, 100 each, a queue that is full drops what its users wait for.
            "local_capacity": 1_000,
            "remote_capacity": 10_000,
        },
    }
}

"""The gateway's settings: the base, and what holding WebSockets needs."""

from __future__ import annotations

import platform
import re
import secrets

from django.core.exceptions import ImproperlyConfigured

from shared.settings import env
from shared.settings.base import *

CARILLON_SERVICE = "gateway"

ASGI_APPLICATION = "services.gateway.asgi.application"
# A gateway answers no HTTP; the health endpoints are on the internal port.
ROOT_URLCONF = "services.gateway.urls"

# Which gateway this is, for the broker and the logs; new at each start unless it is given. The
# host's name, which is the pod's or the container's, tells operators where it runs.
_HOST = re.sub(r"[^a-z0-9._-]", "-", platform.node().lower())[:60]
CARILLON_GATEWAY_ID = env.text(
    "CARILLON_GATEWAY_ID", f"{_HOST}-{secrets.token_hex(3)}".lstrip("-")
).lower()
if not re.fullmatch(r"[a-z0-9._-]{1,80}", CARILLON_GATEWAY_ID):
    raise ImproperlyConfigured("CARILLON_GATEWAY_ID has 1 to 80 letters, digits, dots, - or _.")

# How often a channel is compared with the log; 0 switches it off, for tests alone.
CARILLON_GATEWAY_HEAD_CHECK_SECONDS = env.seconds(
    "CARILLON_GATEWAY_HEAD_CHECK_SECONDS", 4, maximum=60
)
CARILLON_GATEWAY_DATABASE_THREADS = env.integer(
    "CARILLON_GATEWAY_DATABASE_THREADS", 4, minimum=1, maximum=64
)

# How many may be open at once. A number that somebody gives is kept or refused; the default is
# lowered where the system allows fewer files.
CARILLON_GATEWAY_CONNECTIONS = env.integer(
    "CARILLON_GATEWAY_CONNECTIONS", 10_000, minimum=1, maximum=1_000_000
)
CARILLON_GATEWAY_CONNECTIONS_IS_GIVEN = bool(env.text("CARILLON_GATEWAY_CONNECTIONS", ""))
# How many a user may have open at once at one gateway; 0 is any number.
CARILLON_GATEWAY_USER_CONNECTIONS = env.integer(
    "CARILLON_GATEWAY_USER_CONNECTIONS", 10, minimum=0, maximum=1_000_000
)

# Of a message or a frame from a client.
CARILLON_GATEWAY_MESSAGE_BYTES = env.integer(
    "CARILLON_GATEWAY_MESSAGE_BYTES", 64 * 1024, minimum=1_024, maximum=16 * 1024 * 1024
)
# A peer that is gone without a word is noticed after both of these at most.
CARILLON_GATEWAY_PING_SECONDS = env.seconds(
    "CARILLON_GATEWAY_PING_SECONDS", 25, minimum=1, maximum=600
)
CARILLON_GATEWAY_PONG_SECONDS = env.seconds(
    "CARILLON_GATEWAY_PONG_SECONDS", 8, minimum=1, maximum=600
)
# Over how long a full gateway sends its clients away before it ends.
CARILLON_GATEWAY_DRAIN_SECONDS = env.seconds("CARILLON_GATEWAY_DRAIN_SECONDS", 10, maximum=3_600)
# Whose X-Real-IP is believed: those of nginx.
CARILLON_GATEWAY_PROXIES = env.networks("CARILLON_GATEWAY_PROXIES", "127.0.0.1/32,::1/128")

# Deliberately without a "default": consumers publish through the log, never through the layer,
# and the doorbell is the layer's one member (it makes its own object, which it can replace).
CHANNEL_LAYERS: dict[str, object] = {}

if (_pool := DATABASES["default"].get("OPTIONS", {}).get("pool")) is not None:
    # Each thread may hold a connection, and so may the one that watches.
    _pool["max_size"] = CARILLON_GATEWAY_DATABASE_THREADS + 1

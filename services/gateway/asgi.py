"""The gateway's ASGI application: `daphne services.gateway.asgi:application`."""

from __future__ import annotations

from shared.settings import env

env.default_settings_module("services.gateway.settings")

import django

django.setup()

# Consumers and models exist only from here on.
from twisted.internet import reactor

from services.gateway.routing import with_http
from services.gateway.runtime import the_gateway
from shared.settings.production import refuse_unsafe

__all__ = ["application"]

refuse_unsafe()
application = with_http()


def _start() -> None:
    # Daphne tells an application nothing of its start; the reactor does, inside the event loop.
    the_gateway().serve_internal()
    the_gateway().start()


# At start-up the event loop does not run yet; a moment later it does.
reactor.callWhenRunning(reactor.callLater, 0, _start)

"""The embedded form's ASGI application: pages and WebSockets from one server."""

from __future__ import annotations

import logging

from shared.settings import env

env.default_settings_module("services.embedded.settings")

from django.core.asgi import get_asgi_application

_pages = get_asgi_application()

# Consumers and models exist only from here on.
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from twisted.internet import reactor

from services.embedded import bell, worker
from services.gateway.routing import with_http
from services.gateway.runtime import the_gateway

__all__ = ["application"]

logger = logging.getLogger(__name__)

application = with_http(ASGIStaticFilesHandler(_pages))


def _start() -> None:
    bell.listen()
    the_gateway().start()
    worker.start()
    try:
        the_gateway().serve_internal()
    except OSError as error:
        port = settings.CARILLON_INTERNAL_PORT
        logger.warning(
            "Metrics are not served, for port %d is taken (%s): set CARILLON_INTERNAL_PORT to "
            "another number, or 0 for any.",
            port,
            error.strerror,
        )


# At start-up the event loop does not run yet; a moment later it does.
reactor.callWhenRunning(reactor.callLater, 0, _start)

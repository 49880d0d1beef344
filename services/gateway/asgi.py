"""The gateway's ASGI application: `daphne services.gateway.asgi:application`."""

from __future__ import annotations

import logging
import os

from shared.settings import production

production.set_up("services.gateway.settings")

# Consumers and models exist only from here on. Daphne's server installs its reactor, which must
# come before anybody imports Twisted's.
import daphne.server  # noqa: F401
from django.conf import settings
from twisted.internet import reactor

from services.gateway.garbage import Garbage
from services.gateway.routing import with_http
from services.gateway.runtime import the_gateway

__all__ = ["application"]

logger = logging.getLogger(__name__)

application = Garbage(with_http())


def _start() -> None:
    # Daphne tells an application nothing of its start; the reactor does, inside the event loop.
    try:
        the_gateway().serve_internal()
    except OSError as error:
        # The reactor would swallow it, and this would be a gateway that nobody can watch.
        port = settings.CARILLON_INTERNAL_PORT
        logger.critical("Port %d is taken (%s): set CARILLON_INTERNAL_PORT.", port, error)
        os._exit(1)
    the_gateway().start()
    application.start()


# At start-up the event loop does not run yet; a moment later it does.
reactor.callWhenRunning(reactor.callLater, 0, _start)

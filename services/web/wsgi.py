"""The WSGI application that gunicorn serves."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from shared.settings import production

__all__ = ["application"]

production.set_up("services.web.settings")

# They have models, which exist only from here on, or metrics, whose folder must be there.
from services.web.budgets import Budget  # noqa: E402
from services.web.server_api.caller import SERVER_API  # noqa: E402
from shared.realtime import namespaces  # noqa: E402
from shared.telemetry import build, metrics, pools  # noqa: E402

application = get_wsgi_application()

build.announce("web")
metrics.start_common_at_zero("web", namespaces.names())
metrics.start_web_at_zero([*Budget, SERVER_API])
pools.watch()

"""The WSGI application that gunicorn serves."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from shared.settings import production
from shared.telemetry import build

__all__ = ["application"]

production.set_up("services.web.settings")
build.announce("web")

application = get_wsgi_application()

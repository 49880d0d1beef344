"""The WSGI application that gunicorn serves."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from shared.settings import env

__all__ = ["application"]

env.default_settings_module("services.web.settings")

application = get_wsgi_application()

# After Django is set up: whether demo users are left is a question to the database.
from shared.settings import production  # noqa: E402
from shared.telemetry import build  # noqa: E402

production.refuse_unsafe()
build.announce("web")

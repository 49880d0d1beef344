"""The server API's addresses below /api/: one for each method, without a slash at its end."""

from __future__ import annotations

from django.urls import path

from services.web.server_api.methods import METHODS, UNAVAILABLE
from services.web.server_api.views import server_api

__all__ = ["urlpatterns"]

# Written out, so that requests are counted by method and any other name leads nowhere.
urlpatterns = [
    path(name, server_api, {"method": name}, name=f"server-api-{name.replace('_', '-')}")
    for name in (*METHODS, "batch", *sorted(UNAVAILABLE))
]

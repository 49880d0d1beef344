"""
The server API's addresses below /api/: one for each method, without a slash at its end.

What else is there, but below /api/v1/, answers in this API's shape that it is nothing.
"""

from __future__ import annotations

from django.urls import path, re_path

from services.web.server_api.methods import METHODS, UNAVAILABLE
from services.web.server_api.views import nowhere, server_api

__all__ = ["urlpatterns"]

# Written out, so that requests are counted by method and any other name leads nowhere.
_methods = [
    path(name, server_api, {"method": name}, name=f"server-api-{name.replace('_', '-')}")
    for name in (*METHODS, "batch", *sorted(UNAVAILABLE))
]

urlpatterns = [*_methods, re_path(r"^(?!v1(?:/|$)).", nowhere, name="server-api-nowhere")]

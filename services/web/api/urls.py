"""The API's addresses below /api/v1/."""

from __future__ import annotations

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from services.web.api.application import api
from services.web.api.description import written

__all__ = ["urlpatterns"]


@cache
def _description() -> str:
    return written(api.get_openapi_schema())


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI description; anybody may read it, as it stands in the repository."""
    return HttpResponse(_description(), content_type="application/json")


_operations, _, _ = api.urls

urlpatterns = [path("openapi.json", openapi, name="api-description"), *_operations]

"""A page that is never there when one needs it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

__all__ = ["urlpatterns"]


def closed(request: HttpRequest) -> HttpResponse:
    return HttpResponse("The desk is closed.\n", status=503)


urlpatterns = [path("closed/", closed, name="desk-closed")]

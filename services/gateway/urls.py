"""No pages: a gateway answers WebSockets, and nginx sends it nothing else."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

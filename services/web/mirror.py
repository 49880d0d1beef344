"""What `manage.py realtime_check --url` asks through nginx; see `shared.operations.mirrors`."""

from __future__ import annotations

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from shared.operations import mirrors

__all__ = ["mirror"]


@never_cache
@require_GET
def mirror(request: HttpRequest) -> JsonResponse:
    """Show an operator's check its own headers."""
    if not mirrors.is_proof(request.headers.get(mirrors.PROOF_HEADER, "")):
        raise Http404
    return JsonResponse(mirrors.reflection(request.headers, is_secure=request.is_secure()))

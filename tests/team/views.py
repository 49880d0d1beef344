from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from tests.team.actions import do_vote

__all__ = ["vote"]


@login_required
@require_POST
def vote(request: HttpRequest, topic: str) -> JsonResponse:
    """Vote from a page's form."""
    published = do_vote(request.user, topic, request.POST.get("choice", "no"))
    return JsonResponse({"offset": published.offset}, status=201)

"""Requests whose sender is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from shared.accounts.models import User

__all__ = ["SignedInRequest", "signed_in", "staff_bytes_of", "staff_only", "takes_files"]


class SignedInRequest(HttpRequest):
    """A request of a user; only decorated views get one."""

    user: User


_STAFF_BYTES = "staff_bytes"

type _View[**P] = Callable[Concatenate[SignedInRequest, P], HttpResponse]
type _AnyView = Callable[..., HttpResponse]


def signed_in[**P](view: _View[P]) -> _AnyView:
    """Ask strangers to sign in first; nothing of the page stays in the browser's cache."""
    return never_cache(login_required(view))


def staff_only[**P](view: _View[P]) -> _AnyView:
    """Like `signed_in`, and refuse whoever is not staff."""

    @wraps(view)
    def handle(request: SignedInRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_staff:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return signed_in(handle)


def takes_files(staff_bytes: int) -> Callable[[_AnyView], _AnyView]:
    """Let staff send a view larger forms than others may, of at most so many bytes."""

    def mark(view: _AnyView) -> _AnyView:
        setattr(view, _STAFF_BYTES, staff_bytes)
        return view

    return mark


def staff_bytes_of(view: _AnyView) -> int | None:
    """Return how large a form of staff a view takes; None where it makes no difference."""
    found: int | None = getattr(view, _STAFF_BYTES, None)
    return found

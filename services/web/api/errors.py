"""
The one shape of an error, `{"error": {"code", "message", "fields"?}}`, and which of the domain's
errors becomes which status: the only place that says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.http import JsonResponse

from shared.accounts import exceptions as accounts
from shared.bulk import exceptions as bulk
from shared.bulk.states import WrongState
from shared.chat import exceptions as chat
from shared.notifications import exceptions as notifications
from shared.posts import exceptions as posts

__all__ = ["DOMAIN_ERRORS", "ApiError", "InvalidRequest", "NotFound", "error_response", "of_domain"]


class ApiError(Exception):
    """
    An answer that is an error.

    Attributes:
        status: the HTTP status.
        code: a word for programs.
        message: a sentence for people, which says what to do next.
        fields: what is wrong with which part of the request.
        headers: what the answer carries beside it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.headers = headers or {}

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def response(self) -> JsonResponse:
        """Return it as the answer to a request."""
        response = error_response(self.status, self.code, self.message, self.fields)
        for name, value in self.headers.items():
            response.headers[name] = value
        return response


class InvalidRequest(ApiError):
    """One part of the request cannot be taken."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(400, "bad_request", f"{field}: {sentence}", {field: [sentence]})


class NotFound(ApiError):
    """It does not exist, or not for this user; which of both is not told."""

    def __init__(self, message: str = "There is nothing here for you.") -> None:
        super().__init__(404, "not_found", message)


def error_response(
    status: int, code: str, message: str, fields: Mapping[str, list[str]] | None = None
) -> JsonResponse:
    """Return an error in the one shape."""
    error: dict[str, object] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return JsonResponse({"error": error}, status=status)


_NOT_FOUND = (404, "not_found", None)
_FORBIDDEN = (403, "forbidden", None)
_BAD_REQUEST = (400, "bad_request", None)

# Status, code, and the part of the request at fault where it is always the same one.
DOMAIN_ERRORS: Mapping[type[Exception], tuple[int, str, str | None]] = {
    accounts.UnknownUser: _NOT_FOUND,
    accounts.NotStaff: _FORBIDDEN,
    accounts.Inactive: _FORBIDDEN,
    accounts.Protected: _FORBIDDEN,
    accounts.CannotFollow: (409, "conflict", None),
    chat.UnknownRoom: _NOT_FOUND,
    chat.UnknownMessage: _NOT_FOUND,
    chat.UnknownMember: _NOT_FOUND,
    chat.NotAllowed: _FORBIDDEN,
    chat.InvalidRoomName: (400, "bad_request", "name"),
    chat.RoomNameTaken: (409, "conflict", "name"),
    chat.CreatorStays: (409, "conflict", None),
    chat.ClientIdConflict: (409, "conflict", "client_id"),
    notifications.UnknownNotification: _NOT_FOUND,
    notifications.UnknownAnnouncement: _NOT_FOUND,
    notifications.NotStaff: _FORBIDDEN,
    notifications.InvalidAnnouncement: (400, "bad_request", "message"),
    notifications.UnknownCategory: (400, "bad_request", "category"),
    notifications.UnknownKind: (400, "bad_request", "kind"),
    posts.UnknownPost: _NOT_FOUND,
    posts.UnknownComment: _NOT_FOUND,
    posts.NotAllowed: _FORBIDDEN,
    bulk.NotStaff: _FORBIDDEN,
    bulk.UnknownJob: _NOT_FOUND,
    bulk.UnknownFilter: _NOT_FOUND,
    bulk.FilterNameTaken: (409, "conflict", "name"),
    bulk.KeyConflict: (409, "conflict", None),
    bulk.EmptyAudience: (409, "empty_audience", None),
    bulk.Unspeakable: (409, "unspeakable", None),
    bulk.NothingToRetry: (409, "nothing_to_retry", None),
    bulk.TooManyRecipients: (413, "too_many_recipients", None),
    # These name the part themselves.
    bulk.InvalidRequest: _BAD_REQUEST,
    chat.InvalidContent: _BAD_REQUEST,
    posts.InvalidContent: _BAD_REQUEST,
    WrongState: (409, "wrong_state", None),
}


def of_domain(error: Exception) -> ApiError:
    """Return the answer to an error of the domain, whose `str()` is a sentence for people."""
    known = (DOMAIN_ERRORS[cls] for cls in type(error).__mro__ if cls in DOMAIN_ERRORS)
    status, code, field = next(known)
    field = getattr(error, "field", None) or field
    sentence = str(error)
    return ApiError(status, code, sentence, {field: [sentence]} if field else None)

"""The one shape of an error: `{"error": {"code", "message", "fields"?}}`."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import JsonResponse

__all__ = ["ApiError", "InvalidRequest", "NotFound", "error_response"]


class ApiError(Exception):
    """
    An answer that is an error.

    Attributes:
        status: the HTTP status.
        code: a word for programs.
        message: a sentence for people.
        fields: what is wrong with which part of the request.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, list[str]] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def response(self) -> JsonResponse:
        """Return it as the answer to a request."""
        return error_response(self.status, self.code, self.message, self.fields)


class InvalidRequest(ApiError):
    """One parameter cannot be taken."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(400, "bad_request", f"{field}: {sentence}", {field: [sentence]})


class NotFound(ApiError):
    """It does not exist, or not for this user; which of both is not told."""

    def __init__(self, message: str) -> None:
        super().__init__(404, "not_found", message)


def error_response(
    status: int, code: str, message: str, fields: Mapping[str, list[str]] | None = None
) -> JsonResponse:
    """Return an error in the one shape."""
    error: dict[str, object] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return JsonResponse({"error": error}, status=status)

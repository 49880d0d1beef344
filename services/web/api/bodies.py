"""What a request's body may be: its kind and its size, judged before any of it is read."""

from __future__ import annotations

from typing import NamedTuple

from django.http import HttpRequest

from services.web.api.errors import ApiError

__all__ = ["JSON", "BodyRule"]

_MIB = 1024 * 1024


class BodyRule(NamedTuple):
    """
    Attributes:
        types: the kinds that are taken, with the most bytes of each.
        hint: what to do with more, as a sentence.
    """

    types: dict[str, int]
    hint: str = "Send less at once."

    def check_size(self, request: HttpRequest) -> None:
        """
        Refuse a body that is too large, or whose size nobody can tell.

        Raises:
            ApiError: 413, or 411 for a body without its length.
        """
        # Of a kind that is not taken, no more than any other request may have.
        maximum = self.types.get(request.content_type or "", _MIB)
        if self.types and maximum <= _MIB and "Transfer-Encoding" in request.headers:
            raise ApiError(411, "length_required", "Send the body's Content-Length.")
        if _length(request) > maximum:
            words = f"More than {maximum // _MIB} MiB. {self.hint}"
            raise ApiError(413, "too_large", words)

    def check_type(self, request: HttpRequest) -> None:
        """
        Refuse a body of another kind.

        Raises:
            ApiError: 415, naming the kinds that are taken.
        """
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ApiError(415, "unsupported_media_type", "Send the body uncompressed.")
        if request.content_type not in self.types:
            words = f"Send it with Content-Type: {' or '.join(self.types)}."
            raise ApiError(415, "unsupported_media_type", words)


def _length(request: HttpRequest) -> int:
    # WSGI servers refuse what is no number; an absent one is no body.
    text = request.headers.get("Content-Length") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 10**18


JSON = BodyRule({"application/json": _MIB})

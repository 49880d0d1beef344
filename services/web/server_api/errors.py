"""What a method answers instead of a result, and the HTTP status of it where a status tells."""

from __future__ import annotations

from shared.realtime.exceptions import ErrorCode

__all__ = ["UNAUTHORIZED", "ServerApiError", "TooManyCalls"]

# Where every status is 200 but for a broken request, nobody reads this code.
UNAUTHORIZED = 101

_MESSAGES = {
    ErrorCode.INTERNAL: "internal server error",
    UNAUTHORIZED: "unauthorized",
    ErrorCode.UNKNOWN_CHANNEL: "unknown channel",
    ErrorCode.PERMISSION_DENIED: "permission denied",
    ErrorCode.METHOD_NOT_FOUND: "method not found",
    ErrorCode.LIMIT_EXCEEDED: "limit exceeded",
    ErrorCode.BAD_REQUEST: "bad request",
    ErrorCode.NOT_AVAILABLE: "not available",
    ErrorCode.TOO_MANY_REQUESTS: "too many requests",
    ErrorCode.UNRECOVERABLE_POSITION: "unrecoverable position",
}
_STATUSES = {
    ErrorCode.INTERNAL: 500,
    UNAUTHORIZED: 401,
    ErrorCode.UNKNOWN_CHANNEL: 404,
    ErrorCode.PERMISSION_DENIED: 403,
    ErrorCode.METHOD_NOT_FOUND: 404,
    ErrorCode.LIMIT_EXCEEDED: 413,
    ErrorCode.TOO_MANY_REQUESTS: 429,
    ErrorCode.UNRECOVERABLE_POSITION: 416,
    ErrorCode.CONFLICT: 409,
}


class ServerApiError(Exception):
    """
    A request that was understood and turned down.

    Attributes:
        code: one of `ErrorCode`, 101, or what an app's own method refuses with.
        detail: what to change, after the code's own words; "" where these say all.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = int(code)
        self.detail = detail

    def __str__(self) -> str:
        words = _MESSAGES.get(self.code, "")
        return ": ".join(filter(None, [words, self.detail])) or "refused"

    @property
    def status(self) -> int:
        """The HTTP status, where the caller has asked for one."""
        return _STATUSES.get(self.code, 400)

    def as_data(self) -> dict[str, object]:
        """Return it as an answer has it."""
        return {"code": self.code, "message": str(self)}


class TooManyCalls(ServerApiError):
    """
    A key's calls for now are spent.

    Attributes:
        seconds: after how many there are some again.
    """

    def __init__(self, most: int, seconds: int) -> None:
        super().__init__(ErrorCode.TOO_MANY_REQUESTS, f"more than {most} a minute")
        self.seconds = seconds

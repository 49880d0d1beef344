from __future__ import annotations

import json

import pytest

from services.gateway.closecodes import CloseCode


@pytest.mark.parametrize("code", CloseCode)
def test_reason_fits_a_close_frame(code: CloseCode) -> None:
    """A reason is short enough for a close frame, and no client takes it for JSON."""
    assert 0 < len(code.reason.encode()) <= 123
    with pytest.raises(ValueError):
        json.loads(code.reason)


@pytest.mark.parametrize(
    ("code", "terminal"),
    [
        (CloseCode.INTERNAL_ERROR, False),
        (CloseCode.SLOW, False),
        (CloseCode.TOO_MANY_REQUESTS, False),
        (CloseCode.BAD_REQUEST, True),
        (CloseCode.PERMISSION_DENIED, True),
        (CloseCode.BANNED, True),
    ],
)
def test_range_says_whether_to_come_back(code: CloseCode, terminal: bool) -> None:
    """The client's duty follows from the range alone."""
    assert code.is_terminal is terminal

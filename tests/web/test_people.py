"""Initials and tones: how people look without a picture."""

from __future__ import annotations

import pytest

from services.web.templatetags.people import initials, tone


@pytest.mark.parametrize(
    ("name", "letters"), [("alice", "A"), ("ada.lovelace", "AL"), ("a-b-c", "AB"), ("@@", "?")]
)
def test_initials(name: str, letters: str) -> None:
    """One letter of each of the first two words."""
    assert initials(name) == letters


def test_a_name_has_the_tone_that_the_browser_gives_it() -> None:
    """The expected values are those of frontend/tests/avatar.test.ts."""
    assert [tone(name) for name in ("alice", "bob", "admin")] == ["tone-6", "tone-3", "tone-1"]

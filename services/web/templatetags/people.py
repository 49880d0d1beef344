"""How people look without a picture."""

from __future__ import annotations

import re

from django import template

__all__ = ["initials", "tone"]

register = template.Library()

_TONES = 8


@register.filter
def initials(name: str) -> str:
    """Return up to two letters that stand for a name."""
    words = [word for word in re.split(r"[\s._+@-]+", name) if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def tone(name: str) -> str:
    """Return the style sheet's tone for a name; `frontend/src/avatar.ts` agrees."""
    return f"tone-{sum(map(ord, name)) % _TONES}"

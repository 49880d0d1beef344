"""What a text of a person must be before it is stored. Pure."""

from __future__ import annotations

import unicodedata

__all__ = ["refuse_text"]


def refuse_text(text: str, *, maximum: int) -> str | None:
    """
    Return a sentence saying why the text cannot be taken, or None if it can.

    It must hold something visible, at most `maximum` characters, and nothing PostgreSQL cannot
    keep (NUL, half of a surrogate pair). Everything else is stored as it came: right-to-left
    text, joiners and markup are the reader's page's business.
    """
    if len(text) > maximum:
        return f"Too long: at most {maximum:,} characters, this has {len(text):,}."
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        return "This text holds a character that cannot be stored: remove it."
    if not any(_visible(character) for character in text):
        return "Write something first."
    return None


def _visible(character: str) -> bool:
    # Format characters (zero-width space, joiners), controls and separators show nothing.
    return unicodedata.category(character) not in {"Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Cn"}

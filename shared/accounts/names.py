"""Which user names are allowed."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError

__all__ = ["SYSTEM", "validate_username"]

# The name on messages that the server itself sends.
SYSTEM = "System"

_RESERVED = {"system", "carillon", "everyone", "here", "all"}


def validate_username(name: str) -> None:
    """
    Refuse names that could pass for the server's own.

    Look-alikes count too: the comparison is case-blind and after compatibility normalisation, so
    a full-width spelling of System is refused as well.

    Raises:
        ValidationError: the name is reserved.
    """
    plain = unicodedata.normalize("NFKC", name).casefold().strip()
    if plain in _RESERVED:
        raise ValidationError("This name is reserved: choose another one.", code="reserved")

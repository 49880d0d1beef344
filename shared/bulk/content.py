"""What is told: the kind that staff choose and the values that they fill in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shared.bulk.exceptions import InvalidRequest
from shared.notifications.exceptions import UnknownKind
from shared.notifications.kinds import Kind, kind_named, kinds
from shared.notifications.models import Notification
from shared.realtime.text import refuse_text

__all__ = [
    "CONTEXT_BYTES",
    "check_context",
    "check_size",
    "digest_of",
    "label_of",
    "offered_kind",
    "offered_kinds",
]

CONTEXT_BYTES = 16 * 1024


def offered_kind(key: str) -> type[Kind]:
    """
    Return a kind that staff may send.

    Raises:
        InvalidRequest: there is none of this key, or only code sends it.
    """
    try:
        kind = kind_named(key)
    except UnknownKind as error:
        raise InvalidRequest("kind", f"{error} {_choice()}") from error
    if not kind.offered:
        raise InvalidRequest("kind", f"This kind is not offered for bulk jobs. {_choice()}")
    return kind


def offered_kinds() -> list[type[Kind]]:
    """Return the kinds that staff may send, by key."""
    return [kind for kind in kinds() if kind.offered]


def label_of(kind: type[Kind]) -> str:
    """Return how staff call a kind, in the reader's language."""
    return str(kind.label) or f"{kind.category.label} ({kind.key})"


def check_context(kind: type[Kind], context: Mapping[str, Any]) -> None:
    """
    Refuse values that are not exactly the kind's fields, each a text.

    Raises:
        InvalidRequest: the field is `context.<name>`.
    """
    for name in context:
        if name not in kind.fields:
            known = ", ".join(kind.fields) or "none"
            raise InvalidRequest(f"context.{name}", f"This kind has no such value, but {known}.")
    for name in kind.fields:
        value = context.get(name, None if name in kind.required else "")
        if not isinstance(value, str):
            raise InvalidRequest(f"context.{name}", "Write a text here: this kind needs it.")
        words = refuse_text(value, maximum=Notification.BODY_CHARACTERS)
        if words and (value or name in kind.required):
            raise InvalidRequest(f"context.{name}", words)
    check_size(context)


def check_size(context: Mapping[str, Any]) -> None:
    """
    Refuse a context that is no JSON or too much of it.

    Raises:
        InvalidRequest: the field is `context`.
    """
    try:
        size = len(json.dumps(context, allow_nan=False).encode())
    except (TypeError, ValueError) as error:
        sentence = f"It is kept as JSON: use texts and numbers alone ({error})."
        raise InvalidRequest("context", sentence) from error
    if size > CONTEXT_BYTES:
        raise InvalidRequest("context", f"Too long: at most {CONTEXT_BYTES:,} bytes as JSON.")


def digest_of(kind: str, context: Mapping[str, Any], audience: Mapping[str, Any]) -> str:
    """Return what two requests for the same thing have in common."""
    text = json.dumps([kind, context, audience], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _choice() -> str:
    keys = ", ".join(kind.key for kind in offered_kinds())
    return f"Use one of these: {keys}." if keys else "None is offered on this site."

"""What is wrong with a part of a request, in our own words: the only place that has pydantic's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from ninja.errors import ValidationErrorContext
from pydantic import BaseModel

from shared.chat.models import ROOM_NAME

__all__ = ["KEY_NAME", "ROOM_PATTERN", "add_known_keys", "sentence_of"]

ROOM_PATTERN = f"^{ROOM_NAME}$"
# What an Idempotency-Key may be.
KEY_NAME = r"^[!-~]+$"

_PATTERNS = {
    ROOM_PATTERN: "Use 1 to 100 letters, digits, - and _.",
    KEY_NAME: "Use visible ASCII characters without blanks, such as a UUID.",
}
# Where the framework's errors carry the keys that would have been right.
_KNOWN = "known"
_OBJECT = 'Write an object, such as {"name": "value"}.'
_WHOLE = "Write a whole number."
_TIME = "Write a time with its offset, such as 2026-01-31T12:00:00Z."

type _Context = Mapping[str, Any]
type _Words = Callable[[_Context], str]


def _no_such_key(context: _Context) -> str:
    known = ", ".join(context.get(_KNOWN, ()))
    return f"There is no such key: use {known}." if known else "There is no such key: leave it out."


def _too_short(context: _Context) -> str:
    least = context["min_length"]
    return "This is empty: fill it in." if least == 1 else f"Write at least {least} characters."


def _too_few(context: _Context) -> str:
    least = context["min_length"]
    return "This is empty: name one at least." if least == 1 else f"Name at least {least}."


_SENTENCES: Mapping[str, str | _Words] = {
    "missing": "This is missing: add it.",
    "extra_forbidden": _no_such_key,
    "string_type": "Write a text.",
    "string_too_short": _too_short,
    "string_too_long": lambda context: f"Write at most {context['max_length']:,} characters.",
    "string_unicode": "It holds a character that cannot be stored: remove it.",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(
        context["pattern"], f"Write it as {context['pattern']} has it."
    ),
    "bool_type": "Write true or false.",
    "list_type": "Write a list, such as [1, 2].",
    "too_short": _too_few,
    "too_long": lambda context: f"Name at most {context['max_length']:,} at once.",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "greater_than_equal": lambda context: f"Write a whole number from {context['ge']}.",
    "less_than_equal": lambda context: f"Write a whole number up to {context['le']}.",
    "literal_error": lambda context: f"Write {context['expected']}.",
    "enum": lambda context: f"Write {context['expected']}.",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "timezone_aware": _TIME,
}
_WHOLE_NUMBERS = {"int_type", "int_parsing", "int_from_float", "int_parsing_size"}


def sentence_of(error: Mapping[str, Any]) -> str:
    """
    Return what is wrong and what to write instead.

    Args:
        error: one of the framework's, with `type`, `loc`, `msg` and often `ctx`.
    """
    if error["type"] in _WHOLE_NUMBERS:
        # A number among others in a list is one of a kind.
        return "Write whole numbers." if isinstance(error["loc"][-1], int) else _WHOLE
    found = _SENTENCES.get(error["type"])
    if found is None:
        # Our own validators speak in sentences; what pydantic adds to them is taken off.
        words = str(error["msg"]).removeprefix("Value error, ")
        return words if words.endswith(".") else f"{words}."
    return found if isinstance(found, str) else found(error.get("ctx", {}))


def add_known_keys(
    contexts: Sequence[ValidationErrorContext[Any]], errors: Sequence[dict[str, Any]]
) -> None:
    """Tell errors about keys that nobody reads which keys there are."""
    found = (
        (context.model, each)
        for context in contexts
        for each in context.pydantic_validation_error.errors(include_url=False)
    )
    for (model, original), error in zip(found, errors, strict=True):
        if error["type"] == "extra_forbidden":
            error["ctx"] = {_KNOWN: _keys_at(model, original["loc"][:-1])}


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    for part in place:
        field = model.model_fields.get(str(part))
        # A list's positions lead to no other model than the list itself.
        model = (_model_in(field.annotation) if field else None) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(each) for each in get_args(annotation))
    return next(filter(None, models), None)

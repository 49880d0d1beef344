"""What parameters and answers are made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from django.db.models import Model, QuerySet
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

__all__ = [
    "MAX_ID",
    "MAX_ROWS",
    "Answer",
    "Id",
    "Input",
    "Number",
    "Page",
    "Storable",
    "Timestamp",
    "UsernamePath",
]

MAX_ID = 2**63 - 1
MAX_ROWS = 100


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="forbid")


class Input(BaseModel):
    """A body: JSON's own types, and no key that nobody reads."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _whole(value: Any) -> Any:
    """Read a number of a query string; pydantic would take `1.0`, `1_000` and ` 1` as well."""
    if not isinstance(value, str):
        return value
    # ASCII first: isdigit() alone takes digits of every script, and the length bounds int().
    if value.isascii() and value.isdigit() and len(value) <= 19 and 1 <= int(value) <= MAX_ID:
        return int(value)
    raise ValueError("Write a whole number from 1.")


def _storable(value: Any) -> Any:
    """Refuse what PostgreSQL cannot keep as JSON: NUL, half of a surrogate pair."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
                    raise ValueError("It holds a character that cannot be stored: remove it.")
            case dict() as parts:
                left += [*parts, *parts.values()]
            case list() as parts:
                left += parts
    return value


def _capped(value: int) -> int:
    return min(value, MAX_ROWS)


# For text and JSON that no action looks into.
Storable = AfterValidator(_storable)
Id = Annotated[int, Field(ge=1, le=MAX_ID)]
Number = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_whole)]
# No slash, no NUL: what no user can be called is an address that does not exist.
UsernamePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_.@+-]+$", min_length=1, max_length=150, examples=["alice"])
]
Timestamp = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Page(BaseModel):
    """Which part of a list. Rows are newest first; `next` of one page is `before` of another."""

    before: Number | None = Field(None, description="Only what is older than this id.")
    limit: Annotated[Number, AfterValidator(_capped)] = Field(
        20, description=f"How many at most; more than {MAX_ROWS} count as {MAX_ROWS}."
    )

    def cut[M: Model](self, rows: QuerySet[M]) -> tuple[list[M], int | None]:
        """Return the page of these rows, by falling id, and the `before` of the next one."""
        rows = rows.order_by("-pk")
        if self.before is not None:
            rows = rows.filter(pk__lt=self.before)
        return self.read(lambda before, limit: list(rows[:limit]))

    def read[M: Model](
        self, newest: Callable[[int | None, int], list[M]]
    ) -> tuple[list[M], int | None]:
        """
        Return a page and the `before` of the next one.

        Args:
            newest: returns at most so many rows before an id, the newest first.
        """
        # One more than asked for tells whether there are more.
        found = newest(self.before, self.limit + 1)
        page = found[: self.limit]
        return page, page[-1].pk if len(found) > len(page) else None

"""Form fields for what people write at length."""

from __future__ import annotations

from typing import Any

from django import forms

__all__ = ["ProseField"]


class ProseField(forms.CharField):
    """
    A text of several lines.

    Browsers send a line's end as two characters and count it as one: so does this field.
    """

    def __init__(self, *, rows: int, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": rows, "dir": "auto"})
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n")

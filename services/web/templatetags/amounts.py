"""Numbers of people, rates and remaining times in words; `frontend/src/progress.ts` agrees."""

from __future__ import annotations

import math

from django import template
from django.utils.formats import number_format

__all__ = ["grouped", "per_second", "time_left"]

register = template.Library()


@register.filter
def time_left(seconds: float | None) -> str:
    """Return such as "about 3 minutes left"; empty when it is not known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {math.ceil(seconds / 10) * 10} seconds left"
    minutes = math.floor(seconds / 60 + 0.5)
    if minutes < 60:
        return f"about {_plural(minutes, 'minute')} left"
    return f"about {_plural(math.floor(seconds / 3600 + 0.5), 'hour')} left"


@register.filter
def per_second(rate: float | None) -> str:
    """Return such as "1,200 per second"; empty when it is not known."""
    return "" if rate is None else f"{grouped(math.floor(rate + 0.5))} per second"


@register.filter
def grouped(number: int) -> str:
    """Return such as "12,345", as the reader's language writes it."""
    return number_format(number, force_grouping=True)


def _plural(value: int, noun: str) -> str:
    return f"1 {noun}" if value == 1 else f"{value} {noun}s"

"""Every address of the web tier, as a concrete path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLResolver, get_resolver

__all__ = ["all_paths"]

# Whatever else stands in a path is an id.
_SAMPLES = {"name": "lobby", "app_label": "chat", "url": "nowhere", "topic": "lunch"}


def all_paths() -> list[str]:
    """Return one path for each pattern of the resolver, with sample values in its places."""
    return sorted({"/" + path for path in _paths(get_resolver())})


def _paths(resolver: Any, prefix: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        path = prefix + _sample(str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _paths(pattern, path)
        else:
            yield path


def _sample(route: str) -> str:
    # A group of a regular expression first: its name stands in angle brackets too.
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda match: _SAMPLES.get(match[1], "1"), route)
    route = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: _SAMPLES.get(match[1], "1"), route)
    return route.strip("^$").removesuffix(r"\Z")

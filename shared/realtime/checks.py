"""System checks of namespaces: mistakes that would otherwise show as silence at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from shared.realtime import namespaces

__all__ = ["check_namespaces"]


@register()
def check_namespaces(**_: Any) -> Sequence[CheckMessage]:
    """
    Check what every registered namespace declares.

    realtime.E001: it gives an age to a history that it does not keep.
    realtime.E002: a standing channel belongs to another namespace.
    realtime.E003: it tells who comes and goes, and does not keep who is there.
    """
    found: list[CheckMessage] = []
    for name in namespaces.names():
        namespace = namespaces.named(name)
        if namespace.history_ttl is not None and namespace.history_size == 0:
            hint = "Set history_size, or leave history_ttl out."
            words = f"Namespace {name!r} has a history_ttl but keeps no history."
            found.append(Error(words, hint=hint, obj=namespace, id="realtime.E001"))
        for channel in namespace.standing:
            if not channel.startswith(f"{name}:"):
                words = f"Namespace {name!r} declares the standing channel {channel!r}."
                hint = f"Its channels begin with {name}:"
                found.append(Error(words, hint=hint, obj=namespace, id="realtime.E002"))
        if namespace.join_leave and not namespace.presence:
            words = f"Namespace {name!r} has join_leave but keeps no presence."
            hint = "Set presence, or leave join_leave out."
            found.append(Error(words, hint=hint, obj=namespace, id="realtime.E003"))
    return found

"""
`ring`: tells the gateways that something was committed.

What rings is the setting `CARILLON_BELL`: RabbitMQ in the real form, a call into the same process
in the embedded one. `shared.realtime.publish` alone calls it, after commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from shared.broker.wire import Published

__all__ = ["Bell", "ring"]


class Bell(Protocol):
    """Something that carries committed publications to the gateways, as well as it can."""

    def ring(self, publications: Sequence[Published]) -> None:
        """Take the publications and return at once; never raise for a broker that is away."""


def ring(publications: Sequence[Published]) -> None:
    """Hand committed publications to this process's bell."""
    if settings.CARILLON_BROKER_BELLS and publications:
        _bell(settings.CARILLON_BELL).ring(publications)


@cache
def _bell(path: str) -> Bell:
    made: Bell = import_string(path)()
    return made

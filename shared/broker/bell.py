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

from shared.broker.wire import FanOut, Published

__all__ = ["Bell", "flush", "ring", "ring_fan_out"]


class Bell(Protocol):
    """Something that carries committed publications to the gateways, as well as it can."""

    def ring(self, publications: Sequence[Published]) -> None:
        """Take the publications and return at once; never raise for a broker that is away."""

    def ring_fan_out(self, fan_out: FanOut) -> None:
        """Do the same for publications that share their texts: one bell for all of them."""

    def flush(self) -> None:
        """Bring what was taken on its way, for a moment at most, before the process ends."""


def ring(publications: Sequence[Published]) -> None:
    """Hand committed publications to this process's bell."""
    if settings.CARILLON_BROKER_BELLS and publications:
        _bell(settings.CARILLON_BELL).ring(publications)


def ring_fan_out(fan_out: FanOut) -> None:
    """Hand committed publications that share their texts to this process's bell."""
    if settings.CARILLON_BROKER_BELLS and len(fan_out):
        _bell(settings.CARILLON_BELL).ring_fan_out(fan_out)


def flush() -> None:
    """Ring out what is queued; for processes that end without Python's own exit handlers."""
    _bell(settings.CARILLON_BELL).flush()


@cache
def _bell(path: str) -> Bell:
    made: Bell = import_string(path)()
    return made

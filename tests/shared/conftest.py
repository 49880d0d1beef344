from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest
from pytest_django import Settings

from shared.broker.wire import FanOut, Published


class HeardBells:
    """A bell that keeps what it is given."""

    rings: ClassVar[list[list[Published]]] = []

    def ring(self, publications: Sequence[Published]) -> None:
        self.rings.append(list(publications))

    def ring_fan_out(self, fan_out: FanOut) -> None:
        self.rings.append([fan_out.published(index) for index in range(len(fan_out))])

    def flush(self) -> None:
        """Nothing waits."""


@pytest.fixture
def rings(settings: Settings) -> list[list[Published]]:
    """What rang in this test: the publications of each ring."""
    settings.CARILLON_BELL = f"{__name__}.{HeardBells.__qualname__}"
    HeardBells.rings.clear()
    return HeardBells.rings

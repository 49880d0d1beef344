from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.realtime import namespaces
from shared.realtime.namespaces import Namespace


class Notes(Namespace):
    """Keeps enough for any test."""

    name = "notes"
    history_size = 100_000


class Short(Namespace):
    """Keeps three, for an hour."""

    name = "short"
    history_size = 3
    history_ttl = timedelta(hours=1)


class Passing(Namespace):
    """Keeps nothing."""

    name = "passing"


class Thin(Namespace):
    """Its publications refer to rows, here of a mapping."""

    name = "thin"
    history_size = 1_000
    rows: Mapping[int, Mapping[str, Any]] = {}
    loads: list[Sequence[int]] = []

    def load(self, refs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        self.loads.append(refs)
        return {ref: self.rows[ref] for ref in refs if ref in self.rows}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespaces above, for one test."""
    monkeypatch.setattr(namespaces, "_registry", dict(namespaces._registry))
    monkeypatch.setattr(Thin, "rows", {})
    monkeypatch.setattr(Thin, "loads", [])
    for each in (Notes, Short, Passing, Thin):
        namespaces.register(each)

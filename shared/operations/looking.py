"""Looking at several things at once, each for some seconds at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.checks import CheckMessage

from shared.operations.catalogue import found

__all__ = ["PROBE_SECONDS", "Looked", "look_at_all"]

PROBE_SECONDS = 5.0


@dataclass
class Looked:
    """
    What was seen of one thing.

    Attributes:
        facts: by name what there is, as JSON; for people who want to know what was looked at.
        findings: what is wrong with it.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    findings: list[CheckMessage] = field(default_factory=list)

    def find(self, id: str, fault: str, remedy: str) -> None:
        """Note something that is wrong."""
        self.findings.append(found(id, fault, remedy))


def look_at_all(
    probes: Mapping[str, Callable[[], Looked]], seconds: float = PROBE_SECONDS
) -> dict[str, Looked]:
    """
    Run all probes at once and return what each saw.

    One that has not come back in time is left behind in its thread, which does not keep the
    process alive; one that fails is a finding, and the others are told of all the same.
    """
    seen: dict[str, Looked] = {}

    def run(name: str, probe: Callable[[], Looked]) -> None:
        try:
            seen[name] = probe()
        except Exception as error:
            words = " ".join(str(error).split()) or "no reason"
            seen[name] = _failed(
                f"{name}: the check itself failed ({type(error).__name__}: {words})"
            )

    threads = [
        threading.Thread(target=run, args=each, name=f"look-at-{each[0]}", daemon=True)
        for each in probes.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = f"no answer in {seconds:g} s"
    return {name: seen.get(name) or _failed(f"{name}: {silent}") for name in probes}


def _failed(words: str) -> Looked:
    remedy = "See whether it is reachable from here and answers at all, then ask again."
    return Looked(findings=[found("carillon.E090", words, remedy)])

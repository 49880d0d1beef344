"""How much memory a service's processes have, main and children, while something goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.stack.processes import Identity, family

__all__ = ["Peak", "watched"]

SECONDS = 0.5


@dataclass
class Peak:
    """
    The most that was seen, in bytes.

    Attributes:
        together: resident memory of all processes at one moment; what they share counts in each.
        unshared: the same, but what they share counts once.
        largest: resident memory of one process.
        processes: how many there were at most.
    """

    together: int = 0
    unshared: int = 0
    largest: int = 0
    processes: int = 0


def memory(pid: int) -> dict[str, int]:
    """Return what the kernel says of a process, in bytes by name; nothing when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}


@contextmanager
def watched(main: Identity) -> Iterator[Peak]:
    """Look at a process and its descendants twice a second for as long as the block lasts."""
    peak = Peak()
    done = threading.Event()

    def look() -> None:
        while True:
            all_of_them = [memory(member.pid) for member in family(main)]
            resident = [one.get("Rss", 0) for one in all_of_them]
            peak.together = max(peak.together, sum(resident))
            peak.unshared = max(peak.unshared, sum(one.get("Pss", 0) for one in all_of_them))
            peak.largest = max(peak.largest, *resident, 0)
            peak.processes = max(peak.processes, len(resident))
            if done.wait(SECONDS):
                return

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
